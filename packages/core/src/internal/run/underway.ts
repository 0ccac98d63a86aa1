import * as Context from "effect/Context"
import type * as Exit from "effect/Exit"
import type * as Tracer from "effect/Tracer"
import type { Usage } from "../../Attempt.ts"
import type { Pace } from "./pace.ts"

/** What whatever an attempt runs may say of it. */
export interface Telling {
  readonly tierSpan: Tracer.Span | undefined
  usage: Usage | undefined
  pace: Pace | undefined
}

/** An attempt, as what it runs sees it. */
export interface Attempting {
  readonly open: Telling
  /**
   * Its stream has begun, which is its answer unless it is too late; its fiber goes on to read it. `onEnd` hears how the stream has ended,
   * when all that it held has been let go.
   */
  readonly begins: (answer: unknown, pace: Pace, onEnd: (exit: Exit.Exit<void, unknown>) => void) => void
  /** Its stream is out of time: it is interrupted, and waited for no longer than for what lets go at once. */
  readonly overruns: () => void
}

/** The attempt that a fiber works for. */
export class Underway extends Context.Reference<Underway>()("@understudy/core/Attempt/Underway", {
  defaultValue: (): Attempting | undefined => undefined
}) {}
