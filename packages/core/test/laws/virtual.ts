import { Duration, Effect, type Exit, type Fiber, FiberId, Random, type Tracer } from "effect"
import { VirtualClock } from "../../src/internal/testing/virtualClock.ts"
import { alone } from "../leftovers.ts"

export { SchedulingClock, VirtualClock } from "../../src/internal/testing/virtualClock.ts"

/** Gives way to other fibers whenever it is asked, so that what looks like one step is none. */
export class YieldingClock extends VirtualClock {
  override readonly currentTimeMillis: Effect.Effect<number> = Effect.map(Effect.yieldNow(), () =>
    this.unsafeCurrentTimeMillis()
  )
  override readonly currentTimeNanos: Effect.Effect<bigint> = Effect.map(Effect.yieldNow(), () =>
    this.unsafeCurrentTimeNanos()
  )
}

/**
 * Until every fiber sleeps or has ended. `TestClock` lets real milliseconds pass before every step to be sure of that;
 * here a turn of the event loop says so, because every fiber of a law lives on microtasks.
 */
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
