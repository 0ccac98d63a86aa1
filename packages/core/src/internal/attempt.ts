import type * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Runtime from "effect/Runtime"
import * as RuntimeFlags from "effect/RuntimeFlags"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import * as Deadline from "../Deadline.ts"
import { after } from "./timer.ts"

/**
 * Runs one attempt in a fiber and a scope of its own, under a bound, and gives its exit.
 *
 * One fiber and a timer beside it, where `Effect.timeout` takes two fibers and a race. When the bound is over the
 * attempt is interrupted but not waited for beyond what it can do at once: so a bound is a bound, and whatever
 * lets go at once has let go before anything else starts. An interruption from outside waits, as everywhere.
 */
export const runAttempt = <X, E, R>(options: {
  readonly effect: Effect.Effect<X, E, R>
  readonly scope: Scope.CloseableScope
  /** Whether a success leaves the scope open, for whoever was given what lives in it. */
  readonly keepScope: boolean
  readonly clock: Clock.Clock
  readonly span: Tracer.Span | undefined
  readonly deadline: number
  readonly limit: number
  readonly exceeded: () => Deadline.DeadlineExceeded
}): Effect.Effect<Exit.Exit<X, E | Deadline.DeadlineExceeded>, never, Exclude<R, Scope.Scope>> =>
  Effect.withFiberRuntime((parent, { runtimeFlags }) => {
    const { clock, exceeded, keepScope, limit, scope } = options
    const runtime = Runtime.make({
      context: parent.currentContext as Context.Context<R>,
      fiberRefs: parent.getFiberRefs(),
      runtimeFlags: RuntimeFlags.enable(runtimeFlags, RuntimeFlags.Interruption)
    })
    const child = Runtime.runFork(
      runtime,
      Effect.onExit(Effect.mapInputContext(options.effect, contextOf(options)), (exit) =>
        keepScope && Exit.isSuccess(exit) ? Effect.void : Scope.close(scope, exit)
      )
    )
    const settled = child.unsafePoll()
    if (settled !== null) return inherit(child, settled)
    return Effect.async((resume) => {
      let cancel = () => {}
      child.addObserver((exit) => {
        cancel()
        resume(inherit(child, exit))
      })
      if (limit !== Number.POSITIVE_INFINITY) {
        cancel = after(clock, limit, () => {
          child.unsafeInterruptAsFork(parent.id())
          resume(Effect.as(letGo(child), Exit.fail(exceeded())))
        })
      }
      return Effect.suspend(() => {
        cancel()
        return Fiber.interrupt(child)
      })
    })
  })

/** What the attempt changed in its fiber's locals is the run's, as if it had run in the same fiber. */
const inherit = <X, E>(
  child: Fiber.RuntimeFiber<X, E>,
  exit: Exit.Exit<X, E>
): Effect.Effect<Exit.Exit<X, E>> =>
  Exit.isSuccess(exit) ? Effect.as(child.inheritAll, exit) : Effect.succeed(exit)

/** All that the attempt sees around it beyond what the run does, in one step. */
const contextOf =
  <R>({
    deadline,
    scope,
    span
  }: {
    readonly scope: Scope.Scope
    readonly span: Tracer.Span | undefined
    readonly deadline: number
  }) =>
  (outer: Context.Context<R>): Context.Context<R> => {
    const services = new Map(outer.unsafeMap)
    services.set(Scope.Scope.key, scope)
    if (span !== undefined) services.set(Tracer.ParentSpan.key, span)
    if (deadline !== Number.POSITIVE_INFINITY) services.set(Deadline.Current.key, deadline)
    return Context.unsafeMake(services)
  }

/** Turns enough for finalizers that need no time, through a few fibers, to run. */
const turns = 16

const letGo = (child: Fiber.RuntimeFiber<unknown, unknown>): Effect.Effect<void> => {
  const wait = (left: number): Effect.Effect<void> =>
    left === 0 || child.unsafePoll() !== null
      ? Effect.void
      : Effect.flatMap(Effect.yieldNow(), () => wait(left - 1))
  return Effect.suspend(() => wait(turns))
}

export const makeScope: Effect.Effect<Scope.CloseableScope> = Scope.make(ExecutionStrategy.sequential)
