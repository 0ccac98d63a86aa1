import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"

/** A scripted upstream failed a call. No `Error`, whose stack would cost more than the attempt. */
export class Refused extends Data.TaggedClass("Refused")<{
  /** One of `Script.kinds`, or of what else the script's schema was told of. */
  readonly kind: string
  readonly retryAfter: Duration.Duration | undefined
}> {}
