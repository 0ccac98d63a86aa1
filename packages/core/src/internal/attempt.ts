import type * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as FiberId from "effect/FiberId"
import * as FiberRef from "effect/FiberRef"
import * as FiberRefs from "effect/FiberRefs"
import * as Runtime from "effect/Runtime"
import * as RuntimeFlags from "effect/RuntimeFlags"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import * as Deadline from "../Deadline.ts"
import { after } from "./timer.ts"

/** What the run has around it, and every attempt of it too. */
export interface Around<R> {
  readonly fiberId: FiberId.FiberId
  readonly context: Context.Context<R>
  readonly fiberRefs: FiberRefs.FiberRefs
  readonly runtimeFlags: RuntimeFlags.RuntimeFlags
}

/** What is to be known of an attempt to make it. */
export interface Options<X, E, R> {
  readonly effect: Effect.Effect<X, E, R>
  readonly scope: Scope.CloseableScope
  /** Whether a success leaves the scope open, for whoever was given what lives in it. */
  readonly keepScope: boolean
  readonly around: Around<R>
  readonly clock: Clock.Clock
  readonly span: Tracer.Span | undefined
  /** The instant that `limit` milliseconds from now are. */
  readonly deadline: number
  readonly limit: number
  readonly exceeded: () => Deadline.DeadlineExceeded
}

/**
 * One attempt in a fiber and a scope of its own, under a bound.
 *
 * One fiber and a timer beside it, where `Effect.timeout` takes two fibers and a race. When the bound is over the
 * attempt is interrupted but not waited for beyond what it can do at once: so a bound is a bound, and whatever
 * lets go at once has let go before anything else starts.
 */
export class AttemptFiber<X, E, R> {
  private readonly options: Options<X, E, R>
  private child: Fiber.RuntimeFiber<X, E> | undefined
  private initial: FiberRefs.FiberRefs | undefined
  private cancelTimer: (() => void) | undefined

  constructor(options: Options<X, E, R>) {
    this.options = options
  }

  /** Starts it and waits for its end. Whoever interrupts this has to {@link stop} it. */
  readonly exit: Effect.Effect<Exit.Exit<X, E | Deadline.DeadlineExceeded>, never, Exclude<R, Scope.Scope>> =
    Effect.suspend(() => {
      const { around, clock, effect, exceeded, keepScope, limit, scope } = this.options
      const runtime = Runtime.make({
        context: contextOf(this.options),
        fiberRefs: around.fiberRefs,
        runtimeFlags: RuntimeFlags.disable(around.runtimeFlags, RuntimeFlags.Interruption)
      })
      // The attempt can be interrupted, the closing of its scope cannot.
      const inScope = Effect.matchCauseEffect(Effect.interruptible(effect), {
        onFailure: (cause) =>
          Effect.zipRight(Scope.close(scope, Exit.failCause(cause)), Effect.failCause(cause)),
        onSuccess: keepScope ? Effect.succeed : (value) => Effect.as(Scope.close(scope, Exit.void), value)
      })
      const child = Runtime.runFork(runtime, inScope, {
        updateRefs: (refs) => {
          this.initial = refs
          return refs
        }
      })
      this.child = child
      const settled = child.unsafePoll()
      if (settled !== null) return inherit(child, this.initial, settled)

      return Effect.async((resume) => {
        child.addObserver((exit) => {
          this.cancelTimer?.()
          resume(inherit(child, this.initial, exit))
        })
        if (limit === Number.POSITIVE_INFINITY) return
        this.cancelTimer = after(clock, limit, () => {
          child.unsafeInterruptAsFork(around.fiberId)
          resume(Effect.as(letGo(child), Exit.fail(exceeded())))
        })
      })
    })

  /** Interrupts it and waits until it has cleaned up. */
  readonly stop: Effect.Effect<void> = Effect.suspend(() => {
    this.cancelTimer?.()
    return this.child === undefined ? Effect.void : Effect.asVoid(Fiber.interrupt(this.child))
  })
}

/** What the attempt changed in its fiber's locals is the run's, as if it had run in the same fiber. */
const inherit = <X, E>(
  child: Fiber.RuntimeFiber<X, E>,
  initial: FiberRefs.FiberRefs | undefined,
  exit: Exit.Exit<X, E>
): Effect.Effect<Exit.Exit<X, E>> => {
  if (Exit.isFailure(exit)) return Effect.succeed(exit)
  const refs = child.getFiberRefs()
  for (const [ref, stack] of refs.locals) {
    if (!ofFiberAlone.has(ref) && initial?.locals.get(ref) !== stack) {
      return Effect.as(Effect.inheritFiberRefs(FiberRefs.delete(refs, FiberRef.currentContext)), exit)
    }
  }
  return Effect.succeed(exit)
}

const ofFiberAlone: ReadonlySet<unknown> = new Set([FiberRef.currentContext, FiberRef.currentRuntimeFlags])

/** What the attempt sees around it: all that the run does, and its own scope, span and deadline. */
const contextOf = <X, E, R>({ around, deadline, scope, span }: Options<X, E, R>): Context.Context<R> => {
  const services = new Map(around.context.unsafeMap)
  services.set(Scope.Scope.key, scope)
  if (span !== undefined) services.set(Tracer.ParentSpan.key, span)
  if (deadline !== Number.POSITIVE_INFINITY) services.set(Deadline.Current.key, deadline)
  return Context.unsafeMake(services)
}

/** Turns enough for finalizers that need no time, through a few fibers, to run. */
const turns = 16

const letGo = (fiber: Fiber.RuntimeFiber<unknown, unknown>): Effect.Effect<void> => {
  const wait = (left: number): Effect.Effect<void> =>
    left === 0 || fiber.unsafePoll() !== null
      ? Effect.void
      : Effect.flatMap(Effect.yieldNow(), () => wait(left - 1))
  return Effect.suspend(() => wait(turns))
}
