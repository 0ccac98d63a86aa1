import type * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as FiberId from "effect/FiberId"
import * as FiberRefs from "effect/FiberRefs"
import * as Runtime from "effect/Runtime"
import * as RuntimeFlags from "effect/RuntimeFlags"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import * as Deadline from "../../Deadline.ts"
import { letGo } from "./letGo.ts"
import { RunLocals } from "./locals.ts"
import { AttemptScope } from "./scope.ts"
import { after } from "./timer.ts"
import { type Telling, Underway } from "./underway.ts"
import { wait } from "./wait.ts"

/** What the run has around it, and every attempt of it too. */
export interface Around<R> {
  readonly fiber: Fiber.RuntimeFiber<unknown, unknown>
  readonly clock: Clock.Clock
  readonly context: Context.Context<R>
  readonly locals: RunLocals
  /** Without interruption: an attempt can be interrupted, the closing of its scope cannot. */
  readonly runtimeFlags: RuntimeFlags.RuntimeFlags
}

/** What a run that is in this fiber has around it. */
export const attemptsIn = <R>(
  fiber: Fiber.RuntimeFiber<unknown, unknown>,
  runtimeFlags: RuntimeFlags.RuntimeFlags,
  clock: Clock.Clock
): Around<R> => ({
  fiber,
  clock,
  context: fiber.currentContext as Context.Context<R>,
  locals: new RunLocals(fiber),
  runtimeFlags: RuntimeFlags.disable(runtimeFlags, RuntimeFlags.Interruption)
})

/** Every attempt is given its own. */
const noLocals = FiberRefs.empty()

/** What is told of an attempt while it is under way. */
interface Open extends Telling {
  readonly startedAt: number
  readonly span: Tracer.Span | undefined
}

/**
 * One attempt in a fiber and a scope of its own, under a bound; making it starts it.
 *
 * One fiber and a timer beside it, where `Effect.timeout` takes two fibers and a race. When the bound is over the
 * attempt is interrupted but not waited for beyond what it can do at once: so a bound is a bound, and whatever
 * lets go at once has let go before anything else starts.
 */
export class AttemptFiber<X, E, R> implements Runtime.RunForkOptions {
  readonly resources: AttemptScope = new AttemptScope()
  private readonly open: Open
  private readonly around: Around<R>
  private readonly bound: Deadline.Bound
  private readonly millis: number
  /** It ends well however the attempt did: of every fiber that fails Effect looks through the cause. */
  private readonly child: Fiber.RuntimeFiber<void>
  private ended: Exit.Exit<X, E | Deadline.DeadlineExceeded> | undefined
  private cancelTimer: (() => void) | undefined
  private wanted = true

  /** With `keepScope` a success leaves the scope open, for whoever is given what lives in it. */
  constructor(
    effect: Effect.Effect<X, E, R>,
    keepScope: boolean,
    open: Open,
    around: Around<R>,
    bound: Deadline.Bound,
    millis: number
  ) {
    this.open = open
    this.around = around
    this.bound = bound
    this.millis = millis
    const { context, runtimeFlags } = around
    this.child = Runtime.runFork(
      Runtime.make({ context, fiberRefs: noLocals, runtimeFlags }),
      Effect.matchCauseEffect(Effect.interruptible(effect), {
        onFailure: (cause) => this.close(Exit.failCause(cause)),
        onSuccess: (value) => {
          const exit = Exit.succeed(value)
          if (!keepScope || !this.wanted) return this.close(exit)
          this.ended = exit
          return Exit.void
        }
      }),
      this
    )
  }

  /** `runFork` asks for it. */
  updateRefs(_: FiberRefs.FiberRefs, id: FiberId.Runtime): FiberRefs.FiberRefs {
    return this.around.locals.forAttempt(id, this.context())
  }

  /** Waits for its end. Whoever interrupts this has to {@link stop} it. */
  wait(): Effect.Effect<void> {
    const settled = this.child.unsafePoll()
    return settled === null
      ? wait((resume) => {
          this.listen(resume)
        })
      : this.settle(settled)
  }

  /** How it has ended, once it has been waited for. */
  get exit(): Exit.Exit<X, E | Deadline.DeadlineExceeded> {
    return this.ended!
  }

  /** Interrupts it and waits until it has cleaned up. */
  stop(): Effect.Effect<void> {
    return this.giveUp(Fiber.interrupt(this.child))
  }

  /** Interrupts it, and waits no longer than for what lets go at once: somebody has an answer, or nobody will. */
  leave(): Effect.Effect<void> {
    return this.giveUp(
      Effect.zipRight(Fiber.interruptAsFork(this.child, this.around.fiber.id()), letGo(this.child))
    )
  }

  private giveUp(interrupting: Effect.Effect<unknown>): Effect.Effect<void> {
    this.wanted = false
    this.cancelTimer?.()
    // It may have succeeded in this very moment, and then nobody is given what lives in its scope.
    return Effect.flatMap(interrupting, () =>
      this.ended === undefined ? Effect.void : this.resources.closing(this.ended)
    )
  }

  private listen(resume: (settled: Effect.Effect<void>) => void): void {
    this.child.addObserver((exit) => {
      if (!this.wanted) return
      this.cancelTimer?.()
      resume(this.settle(exit))
    })
    if (this.millis === Number.POSITIVE_INFINITY) return
    this.cancelTimer = after(this.around.clock, this.millis, () => resume(this.overrun()))
  }

  private overrun(): Effect.Effect<void> {
    const { around, bound, child, millis } = this
    this.wanted = false
    child.unsafeInterruptAsFork(around.fiber.id())
    const limit = Duration.millis(millis)
    return Effect.map(letGo(child), () => {
      this.ended = Exit.fail(new Deadline.DeadlineExceeded({ bound, limit }))
    })
  }

  private close(exit: Exit.Exit<X, E>): Effect.Effect<void> {
    if (this.wanted) this.ended = exit
    return this.resources.closing(exit)
  }

  /** What the attempt set of its fiber's locals is the run's, as if it had run in the same fiber. */
  private settle(exit: Exit.Exit<void>): Effect.Effect<void> {
    // A finalizer of its scope died.
    if (Exit.isFailure(exit)) this.ended = Exit.failCause(exit.cause)
    return Exit.isFailure(this.exit) ? Exit.void : this.around.locals.inherit(this.child)
  }

  /** What it sees around it: all that the run does, and its own scope, span and deadline. */
  private context(): Context.Context<R> {
    const services = new Map<string, unknown>()
    this.around.context.unsafeMap.forEach((service, key) => {
      services.set(key, service)
    })
    const { millis, open } = this
    services.set(Scope.Scope.key, this.resources)
    services.set(Underway.key, open)
    if (open.span !== undefined) services.set(Tracer.ParentSpan.key, open.span)
    if (millis !== Number.POSITIVE_INFINITY) services.set(Deadline.Current.key, open.startedAt + millis)
    return Context.unsafeMake(services)
  }
}
