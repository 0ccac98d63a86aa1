import * as Context from "effect/Context"
import type * as Exit from "effect/Exit"
import type * as Tracer from "effect/Tracer"
import type { Usage } from "../../Attempt.ts"
import type { Pace } from "./pace.ts"

/** What the effect of an attempt can report about the attempt. */
export interface Telling {
  readonly tierSpan: Tracer.Span | undefined
  usage: Usage | undefined
  pace: Pace | undefined
}

/** An attempt, as seen by the effect it runs. */
export interface Attempting {
  readonly open: Telling
  /** The instant by which it must have its answer. */
  readonly deadline: number
  /** Whether its answer is a stream that has begun and has not exceeded a bound. */
  readonly hasBegun: boolean
  /**
   * Its stream has begun, which is its answer unless it is too late; its fiber goes on reading. `onEnd` is called with
   * the stream's exit after its resources have been released.
   */
  readonly begins: (answer: unknown, pace: Pace, onEnd: (exit: Exit.Exit<void, unknown>) => void) => void
  /** Its stream has exceeded a bound: it is interrupted, and only synchronous finalizers are waited for. */
  readonly overruns: () => void
  /** Ends it if its bound is exceeded, and returns whether it did: not if it already has its answer. */
  readonly expires: () => boolean
}

/** The attempt that a fiber belongs to. */
export class Underway extends Context.Reference<Underway>()("@understudy/core/Attempt/Underway", {
  defaultValue: (): Attempting | undefined => undefined
}) {}

/**
 * A deadline found in a context, unless it belongs to a stream that has since begun: a context copied before that still
 * contains it.
 */
export const inForce = (context: Context.Context<never>, deadline: number): number => {
  if (deadline === Number.POSITIVE_INFINITY) return deadline
  const attempt = Context.get(context, Underway)
  return attempt?.hasBegun && deadline === attempt.deadline ? Number.POSITIVE_INFINITY : deadline
}

/**
 * Ends the enclosing attempt if it is out of time too. Timers that are due together fire in any order, and the
 * outermost attempt determines which bound is reported.
 */
export const expireAround = (context: Context.Context<never>, instant: number): boolean => {
  const attempt = Context.get(context, Underway)
  return attempt !== undefined && attempt.deadline <= instant && attempt.expires()
}
