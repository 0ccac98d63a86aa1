import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as RuntimeFlags from "effect/RuntimeFlags"
import type * as Tracer from "effect/Tracer"
import * as Deadline from "../../Deadline.ts"
import { asContext } from "../fiber/context.ts"
import { interruptible } from "../fiber/interruptible.ts"
import { letGo } from "../fiber/letGo.ts"
import { RunLocals } from "../fiber/locals.ts"
import { makeScope } from "../fiber/scope.ts"
import { after, leftUntil } from "../fiber/timer.ts"
import { wait } from "../fiber/wait.ts"
import type { Pace } from "./pace.ts"
import { AttemptServices } from "./services.ts"
import { type Attempting, expireAround, type Telling } from "./underway.ts"

/** The environment of a run, shared by all its attempts. */
export interface Around<R> {
  readonly fiber: Fiber.RuntimeFiber<unknown, unknown>
  readonly clock: Clock.Clock
  readonly context: Context.Context<R>
  readonly locals: RunLocals
  /** Uninterruptible: the attempt itself can be interrupted, but the closing of its scope cannot. */
  readonly runtimeFlags: RuntimeFlags.RuntimeFlags
}

/** The environment of a run in this fiber. */
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

/** What an attempt reports about itself while it is running. */
interface Open extends Telling {
  readonly span: Tracer.Span | undefined
}

/**
 * One attempt, in its own fiber and scope and under a bound. Constructing it starts it.
 *
 * It takes one fiber and a timer, where `Effect.timeout` takes two fibers and a race. When the bound is exceeded, the
 * attempt is interrupted, but only its synchronous finalizers are waited for. So bounds are hard, and whatever releases
 * its resources at once has done so before anything else starts.
 *
 * Its answer is its result, or a stream that has begun, which it then goes on reading.
 */
export class AttemptFiber<X, E, R> implements Attempting {
  private readonly resources = makeScope()
  readonly open: Open
  readonly deadline: number
  private readonly around: Around<R>
  private readonly bound: Deadline.Bound
  private readonly millis: number
  /**
   * It always succeeds, whatever the attempt's exit, since Effect inspects the cause of every fiber that fails. Not yet
   * assigned while it runs synchronously.
   */
  private readonly child: Fiber.RuntimeFiber<void>
  private answer: Exit.Exit<X, E | Deadline.DeadlineExceeded> | undefined
  private resume: ((settled: Effect.Effect<void>) => void) | undefined
  private onEnd: ((exit: Exit.Exit<void, unknown>) => void) | undefined
  private cancelTimer: (() => void) | undefined
  private wanted = true
  private isOverrun = false

  constructor(
    effect: Effect.Effect<X, E, R>,
    open: Open,
    around: Around<R>,
    bound: Deadline.Bound,
    millis: number,
    deadline: number
  ) {
    this.open = open
    this.deadline = deadline
    this.around = around
    this.bound = bound
    this.millis = millis
    this.child = around.locals.fork(
      Effect.matchCauseEffect(interruptible(effect), {
        onFailure: (cause) => this.close(Exit.failCause(cause)),
        onSuccess: (value) => this.close(Exit.succeed(value))
      }),
      asContext(new AttemptServices(around.context.unsafeMap, this, this.resources, open.span)),
      around.runtimeFlags
    )
    if (this.isOverrun) this.overruns()
  }

  /** Waits for its answer. If this is interrupted, {@link stop} has to be called. */
  wait(): Effect.Effect<void> {
    if (this.onEnd !== undefined) return Effect.void
    if (this.isOverrun) return this.late()
    const settled = this.child.unsafePoll()
    return settled === null
      ? wait((resume) => {
          this.listen(resume)
        })
      : this.settle(settled)
  }

  /** Its answer or failure, once {@link wait} has returned. */
  get exit(): Exit.Exit<X, E | Deadline.DeadlineExceeded> {
    return this.answer!
  }

  get hasBegun(): boolean {
    return this.onEnd !== undefined && !this.isOverrun
  }

  begins(answer: unknown, pace: Pace, onEnd: (exit: Exit.Exit<void, unknown>) => void): void {
    this.onEnd = onEnd
    if (!this.wanted) return
    this.wanted = false
    this.cancelTimer?.()
    this.open.pace = pace
    this.answer = Exit.succeed(answer as X)
    this.resume?.(Effect.void)
  }

  overruns(): void {
    this.isOverrun = true
    this.wanted = false
    this.child?.unsafeInterruptAsFork(this.around.fiber.id())
  }

  expires(): boolean {
    if (this.hasBegun || this.child?.unsafePoll()) return false
    if (!this.wanted) return true
    this.cancelTimer?.()
    const { around, deadline, resume } = this
    if (expireAround(around.context, deadline) && resume !== undefined) {
      // The run is interrupted too and stops it, unless the run is uninterruptible; then this ends it.
      this.child.unsafeInterruptAsFork(around.fiber.id())
      resume(Effect.suspend(() => this.late()))
    } else {
      const late = this.late()
      resume?.(late)
    }
    return true
  }

  /** Interrupts it and waits until it has cleaned up, unless it was left behind. */
  stop(): Effect.Effect<void> {
    if (this.child.unsafePoll() !== null) return Effect.void
    return this.giveUp(this.isOverrun ? letGo(this.child) : Fiber.interrupt(this.child))
  }

  /** Interrupts it and waits only for synchronous finalizers, since the run's result is already decided. */
  leave(): Effect.Effect<void> {
    return this.giveUp(
      Effect.zipRight(Fiber.interruptAsFork(this.child, this.around.fiber.id()), letGo(this.child))
    )
  }

  private giveUp<A>(interrupting: Effect.Effect<A>): Effect.Effect<void> {
    this.wanted = false
    this.cancelTimer?.()
    return Effect.asVoid(interrupting)
  }

  private listen(resume: (settled: Effect.Effect<void>) => void): void {
    this.resume = resume
    this.child.addObserver((exit) => {
      if (!this.wanted) return
      this.cancelTimer?.()
      resume(this.settle(exit))
    })
    if (this.millis === Number.POSITIVE_INFINITY) return
    this.expiresAfter(this.millis)
  }

  private expiresAfter(millis: number): void {
    const { clock } = this.around
    this.cancelTimer = after(clock, millis, () => {
      const left = leftUntil(clock, this.deadline)
      if (left === 0) this.expires()
      else this.expiresAfter(left)
    })
  }

  private late(): Effect.Effect<void> {
    this.overruns()
    const { bound, millis } = this
    const limit = Duration.millis(millis)
    return Effect.map(letGo(this.child), () => {
      this.answer = Exit.fail(new Deadline.DeadlineExceeded({ bound, limit }))
    })
  }

  private close(exit: Exit.Exit<X, E>): Effect.Effect<void> {
    const { onEnd } = this
    if (onEnd === undefined) {
      if (this.wanted) this.answer = exit
      return this.resources.closing(exit)
    }
    return Effect.map(Effect.exit(this.resources.closing(exit)), (closed) =>
      onEnd(Exit.zipWith(exit, closed, { onSuccess: () => {}, onFailure: Cause.sequential }))
    )
  }

  /** Copies the `FiberRef`s that the attempt has set to the run, as if it had run in the same fiber. */
  private settle(exit: Exit.Exit<void>): Effect.Effect<void> {
    // A finalizer of its scope failed.
    if (Exit.isFailure(exit)) this.answer = Exit.failCause(exit.cause)
    return Exit.isFailure(this.exit) ? Exit.void : this.around.locals.inherit(this.child)
  }
}
