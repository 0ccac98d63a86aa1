/** Everything for the report of a log, to be loaded on demand. */
export { page } from "./html.ts"
export { review } from "./summary.ts"
export { Tally } from "./tally.ts"
export { text } from "./text.ts"
