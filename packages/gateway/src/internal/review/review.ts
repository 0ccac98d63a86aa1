/** All that makes a report of a log, for whoever loads it only when one is asked for. */
export { page } from "./html.ts"
export { review } from "./summary.ts"
export { Tally } from "./tally.ts"
export { text } from "./text.ts"
