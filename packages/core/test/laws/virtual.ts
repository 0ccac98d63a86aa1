import { Clock, Duration, Effect, type Exit, type Fiber, FiberId, Random, type Tracer } from "effect"

import { alone } from "../leftovers.ts"

interface Timer {
  readonly at: number
  readonly task: () => void
}

/**
 * Virtual time that costs next to nothing. `TestClock` lets real milliseconds pass before every step to be sure
 * that all fibers sleep; here a turn of the event loop says so, because every fiber of a law lives on microtasks.
 * `virtual.test.ts` holds the two against each other.
 */
export class VirtualClock implements Clock.Clock {
  readonly [Clock.ClockTypeId]: Clock.ClockTypeId = Clock.ClockTypeId
  /** In nanoseconds, and so without a fraction. */
  private now = 0
  private timers: Array<Timer> = []
  private endless = new Set<() => void>()
  private standstill = 0

  unsafeCurrentTimeMillis(): number {
    return this.now / 1e6
  }

  unsafeCurrentTimeNanos(): bigint {
    return BigInt(this.now)
  }

  readonly currentTimeMillis: Effect.Effect<number> = Effect.sync(() => this.unsafeCurrentTimeMillis())
  readonly currentTimeNanos: Effect.Effect<bigint> = Effect.sync(() => this.unsafeCurrentTimeNanos())

  sleep(duration: Duration.Duration): Effect.Effect<void> {
    return Effect.async((resume) => {
      const cancel = this.unsafeSchedule(() => resume(Effect.void), duration)
      return Effect.sync(cancel)
    })
  }

  unsafeSchedule(task: () => void, duration: Duration.Duration): () => boolean {
    const timer: Timer = { at: this.now + Math.round(Duration.toMillis(duration) * 1e6), task }
    if (timer.at === Number.POSITIVE_INFINITY) {
      this.endless.add(task)
      return () => this.endless.delete(task)
    }
    this.timers.push(timer)
    return () => {
      const index = this.timers.indexOf(timer)
      if (index >= 0) this.timers.splice(index, 1)
      return index >= 0
    }
  }

  /** The sleeps that nobody has woken up from. */
  get pending(): number {
    return this.timers.length
  }

  /** Wakes up whoever sleeps for ever. */
  end(): void {
    const { endless } = this
    this.endless = new Set()
    for (const task of endless) task()
  }

  /** Moves on to the next timer, the first set of those that are due together. */
  step(): boolean {
    let next: Timer | undefined
    for (const timer of this.timers) if (next === undefined || timer.at < next.at) next = timer
    if (next === undefined) return false
    this.timers.splice(this.timers.indexOf(next), 1)
    this.standstill = next.at > this.now ? 0 : this.standstill + 1
    if (this.standstill > 10_000)
      throw new Error("time stands still: somebody sleeps for nothing, again and again")
    this.now = next.at
    next.task()
    return true
  }
}

/** The same with timers that need no fiber, as Effect's own live clock offers them. */
export class SchedulingClock extends VirtualClock {
  scheduler(): Effect.Effect<Clock.ClockScheduler> {
    return Effect.succeed(this)
  }
}

/** Gives way to other fibers whenever it is asked, so that what looks like one step is none. */
export class YieldingClock extends VirtualClock {
  override readonly currentTimeMillis: Effect.Effect<number> = Effect.map(Effect.yieldNow(), () =>
    this.unsafeCurrentTimeMillis()
  )
  override readonly currentTimeNanos: Effect.Effect<bigint> = Effect.map(Effect.yieldNow(), () =>
    this.unsafeCurrentTimeNanos()
  )
}

/** Until every fiber sleeps or has ended. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

export interface Ended<out A, out E> {
  /** `undefined` where it can never end. */
  readonly exit: Exit.Exit<A, E> | undefined
  readonly elapsed: number
  readonly fiber: Fiber.RuntimeFiber<A, E>
}

/** Runs an effect until it has ended or nothing can wake it up any more. */
export const run = async <A, E>(
  effect: Effect.Effect<A, E>,
  options: {
    readonly clock: VirtualClock
    readonly seed?: string | number | undefined
    readonly interruptAt?: number | undefined
    /** Default: none, for spans are dear. */
    readonly tracer?: Tracer.Tracer | undefined
  }
): Promise<Ended<A, E>> => {
  const { clock, interruptAt, seed = 0, tracer } = options
  const start = clock.unsafeCurrentTimeMillis()
  let end: number | undefined
  const fiber = Effect.runFork(
    alone(effect).pipe(
      Effect.withClock(clock),
      Effect.withRandom(Random.make(seed)),
      tracer === undefined ? Effect.withTracerEnabled(false) : Effect.withTracer(tracer)
    )
  )
  fiber.addObserver(() => {
    end = clock.unsafeCurrentTimeMillis()
  })
  const cancel =
    interruptAt === undefined
      ? undefined
      : clock.unsafeSchedule(() => fiber.unsafeInterruptAsFork(FiberId.none), Duration.millis(interruptAt))
  await settled()
  while (end === undefined && clock.step()) await settled()
  cancel?.()
  const elapsed = (end ?? clock.unsafeCurrentTimeMillis()) - start
  return { exit: fiber.unsafePoll() ?? undefined, elapsed, fiber }
}

/** Interrupts a fiber that waits for nothing any more. */
export const abandon = async (fiber: Fiber.RuntimeFiber<unknown, unknown>): Promise<void> => {
  fiber.unsafeInterruptAsFork(FiberId.none)
  await settled()
}

/** Lets time pass until nobody sleeps, or only for ever. */
export const drain = async (clock: VirtualClock): Promise<void> => {
  do await settled()
  while (clock.step())
}
