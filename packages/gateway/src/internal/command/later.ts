/**
 * The parts of the other commands that `serve` does not need, loaded when one of them runs. They are loaded together,
 * since every separate import splits what `serve` loads into more files.
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
