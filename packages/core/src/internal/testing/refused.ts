import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"

/**
 * A scripted upstream failed a call. Not an `Error`, whose stack trace would cost more than the attempt.
 *
 * @example
 * import { Simulation } from "@understudy/core/testing"
 *
 * console.log(new Simulation.Refused({ kind: "overloaded", retryAfter: undefined })._tag) // => Refused
 *
 * @since 0.1.0
 * @category errors
 */
export class Refused extends Data.TaggedClass("Refused")<{
  /** One of `Script.kinds`, or of the schema's additional ones. */
  readonly kind: string
  readonly retryAfter: Duration.Duration | undefined
}> {}
