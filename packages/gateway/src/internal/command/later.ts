/**
 * What the other commands are made of, which `serve` has no use for: loaded when one of them runs. All of it at once, since
 * for each part that is loaded by itself a bundler cuts what `serve` loads into more files.
 */
export { Script } from "@understudy/core/testing"
export * as Alerts from "@understudy/otel/Alerts"
export { dashboard } from "@understudy/otel/Dashboard"
export { report } from "../check/report.ts"
export { jsonSchema } from "../file/jsonSchema.ts"
export { replay } from "../laboratory/replay.ts"
export { simulated } from "../laboratory/simulated.ts"
export { eachLine, open } from "../review/lines.ts"
export { page, review, Tally, text } from "../review/review.ts"
