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
  /** The instant by which it must have its answer. */
  readonly deadline: number
  /** Whether its answer is a stream that has begun and is not out of time. */
  readonly hasBegun: boolean
  /**
   * Its stream has begun, which is its answer unless it is too late; its fiber goes on to read it. `onEnd` hears how the stream has ended,
   * when all that it held has been let go.
   */
  readonly begins: (answer: unknown, pace: Pace, onEnd: (exit: Exit.Exit<void, unknown>) => void) => void
  /** Its stream is out of time: it is interrupted, and waited for no longer than for what lets go at once. */
  readonly overruns: () => void
  /** It is out of time, and ends by that. Whether it does: not one that has its answer. */
  readonly expires: () => boolean
}

/** The attempt that a fiber works for. */
export class Underway extends Context.Reference<Underway>()("@understudy/core/Attempt/Underway", {
  defaultValue: (): Attempting | undefined => undefined
}) {}

/**
 * A deadline that is found in a context, unless it was for the way to the beginning of a stream that has begun: a context that
 * was copied before keeps it.
 */
export const inForce = (context: Context.Context<never>, deadline: number): number => {
  if (deadline === Number.POSITIVE_INFINITY) return deadline
  const attempt = Context.get(context, Underway)
  return attempt?.hasBegun && deadline === attempt.deadline ? Number.POSITIVE_INFINITY : deadline
}

/**
 * Ends the attempt around what is out of time, if that is out of time too: of timers that are due together anyone may come
 * first, and the outermost attempt is the one that knows by which bound all of it ends.
 */
export const expireAround = (context: Context.Context<never>, instant: number): boolean => {
  const attempt = Context.get(context, Underway)
  return attempt !== undefined && attempt.deadline <= instant && attempt.expires()
}
