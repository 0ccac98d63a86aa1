import type * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as FiberRefs from "effect/FiberRefs"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import * as Deadline from "../../Deadline.ts"
import { forAttempt, inherit, type RunScheduler } from "./locals.ts"
import { flatMapNow } from "./now.ts"
import { after } from "./timer.ts"
import { type Telling, Underway } from "./underway.ts"

/** What the run has around it, and every attempt of it too. */
export interface Around<R> {
  readonly fiber: Fiber.RuntimeFiber<unknown, unknown>
  readonly context: Context.Context<R>
  readonly fiberRefs: FiberRefs.FiberRefs
  readonly scheduler: RunScheduler
  /** Without interruption: an attempt can be interrupted, the closing of its scope cannot. */
  readonly runtime: Runtime.Runtime<R>
}

/** What is told of an attempt while it is under way. */
interface Open extends Telling {
  readonly span: Tracer.Span | undefined
}

/** The bound on an attempt. */
export interface Limit {
  readonly clock: Clock.Clock
  readonly bound: Deadline.Bound
  readonly millis: number
  /** The instant that so many milliseconds from the attempt's start are. */
  readonly deadline: number
}

/**
 * One attempt in a fiber and a scope of its own, under a bound; making it starts it.
 *
 * One fiber and a timer beside it, where `Effect.timeout` takes two fibers and a race. When the bound is over the
 * attempt is interrupted but not waited for beyond what it can do at once: so a bound is a bound, and whatever
 * lets go at once has let go before anything else starts.
 */
export class AttemptFiber<X, E, R> {
  private readonly scope: Scope.CloseableScope
  private readonly around: Around<R>
  private readonly limit: Limit
  /** It ends well however the attempt did: of every fiber that fails Effect looks through the cause. */
  private readonly child: Fiber.RuntimeFiber<Exit.Exit<X, E>>
  private cancelTimer: (() => void) | undefined
  private wanted = true

  /** With `keepScope` a success leaves the scope open, for whoever is given what lives in it. */
  constructor(
    effect: Effect.Effect<X, E, R>,
    scope: Scope.CloseableScope,
    keepScope: boolean,
    open: Open,
    around: Around<R>,
    limit: Limit
  ) {
    this.scope = scope
    this.around = around
    this.limit = limit
    this.child = Runtime.runFork(
      around.runtime,
      Effect.matchCauseEffect(Effect.interruptible(effect), {
        onFailure: (cause) => this.closing(Exit.failCause(cause)),
        onSuccess: (value) => {
          const exit = Exit.succeed(value)
          return keepScope && this.wanted ? Exit.succeed(exit) : this.closing(exit)
        }
      }),
      { updateRefs: (_, id) => forAttempt(around.fiberRefs, id, this.contextOf(open), around.scheduler) }
    )
  }

  /** Waits for its end. Whoever interrupts this has to {@link stop} it. */
  exit(): Effect.Effect<Exit.Exit<X, E | Deadline.DeadlineExceeded>> {
    const { child } = this
    const settled = child.unsafePoll()
    if (settled !== null) return this.inherit(settled)
    return Effect.async((resume) => {
      child.addObserver((exit) => {
        this.cancelTimer?.()
        resume(this.inherit(exit))
      })
      const { bound, clock, millis } = this.limit
      if (millis === Number.POSITIVE_INFINITY) return
      this.cancelTimer = after(clock, millis, () => {
        this.wanted = false
        child.unsafeInterruptAsFork(this.around.fiber.id())
        const limit = Duration.millis(millis)
        resume(Effect.as(letGo(child), Exit.fail(new Deadline.DeadlineExceeded({ bound, limit }))))
      })
    })
  }

  /** Interrupts it and waits until it has cleaned up. */
  stop(): Effect.Effect<void> {
    this.wanted = false
    this.cancelTimer?.()
    // It may have succeeded in this very moment, and then nobody is given what lives in its scope.
    return Effect.flatMap(Fiber.interrupt(this.child), (exit) => Scope.close(this.scope, exit))
  }

  private closing(exit: Exit.Exit<X, E>): Effect.Effect<Exit.Exit<X, E>> {
    return Effect.map(Scope.close(this.scope, exit), () => exit)
  }

  /** What the attempt set of its fiber's locals is the run's, as if it had run in the same fiber. */
  private inherit(ended: Exit.Exit<Exit.Exit<X, E>>): Effect.Effect<Exit.Exit<X, E>> {
    // A finalizer of its scope died.
    if (Exit.isFailure(ended)) return Exit.succeed(Exit.failCause(ended.cause))
    return Exit.isFailure(ended.value)
      ? ended
      : flatMapNow(inherit(this.child, this.around.fiberRefs), () => ended)
  }

  /** What it sees around it: all that the run does, and its own scope, span and deadline. */
  private contextOf(open: Open): Context.Context<R> {
    const services = new Map<string, unknown>()
    this.around.context.unsafeMap.forEach((service, key) => {
      services.set(key, service)
    })
    services.set(Scope.Scope.key, this.scope)
    services.set(Underway.key, open)
    if (open.span !== undefined) services.set(Tracer.ParentSpan.key, open.span)
    if (this.limit.deadline !== Number.POSITIVE_INFINITY) {
      services.set(Deadline.Current.key, this.limit.deadline)
    }
    return Context.unsafeMake(services)
  }
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
