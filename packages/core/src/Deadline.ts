/**
 * The instants that bound an attempt, a tier and a whole run.
 *
 * A deadline is an absolute instant that travels in the fiber, so that a nested policy can shorten the remaining time
 * but never extend it.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as DefaultServices from "effect/DefaultServices"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import { letGo } from "./internal/fiber/letGo.ts"
import { after } from "./internal/fiber/timer.ts"
import { inForce } from "./internal/run/underway.ts"

/**
 * The name of a bound that was exceeded.
 *
 * - `attemptTimeout`: one attempt took too long
 * - `firstToken`: the first element of an attempt's stream took too long
 * - `timeout`: all attempts and waits of a tier together took too long
 * - `deadline`: the run took too long
 * - `idle`: a stream fell silent after its commit point
 * - `maxStream`: a stream took too long after its commit point, or its caller took too long to read it
 *
 * @since 0.1.0
 * @category models
 */
export type Bound = "attemptTimeout" | "firstToken" | "timeout" | "deadline" | "idle" | "maxStream"

/**
 * Something was cut short by the named bound.
 *
 * @example
 * import { Duration } from "effect"
 * import { Deadline } from "@understudy/core"
 *
 * const error = new Deadline.DeadlineExceeded({ bound: "attemptTimeout", limit: Duration.seconds(5) })
 *
 * console.log(error.message) // => attemptTimeout of 5s exceeded
 *
 * @since 0.1.0
 * @category errors
 */
export class DeadlineExceeded extends Data.TaggedError("DeadlineExceeded")<{
  readonly bound: Bound
  readonly limit: Duration.Duration
  /**
   * For `maxStream`, how long the stream waited for its caller to read it. Set only if that is more than a hundredth of
   * the limit: then it was not the tier that took too long.
   */
  readonly unread?: Duration.Duration | undefined
}> {
  override get message(): string {
    const unread = this.unread && `, for ${Duration.format(this.unread)} of which its caller took nothing`
    return `${this.bound} of ${Duration.format(this.limit)} exceeded${unread ?? ""}`
  }
}

/**
 * The instant by which the current run must have its answer, in milliseconds of the `Clock`'s monotonic time;
 * `Infinity` if it is unbounded, as in a stream that has begun.
 *
 * @example
 * import { Effect } from "effect"
 * import { Deadline } from "@understudy/core"
 *
 * const left = Effect.zipWith(Deadline.Current, Deadline.now, (deadline, now) => Math.round(deadline - now))
 *
 * console.log(Effect.runSync(left)) // => Infinity
 *
 * @since 0.1.0
 * @category context
 */
export class Current extends Context.Reference<Current>()("@understudy/core/Deadline/Current", {
  defaultValue: (): number => Number.POSITIVE_INFINITY
}) {}

/**
 * Now, in milliseconds of the `Clock`'s monotonic time, the scale of {@link Current}. It is not affected by changes of
 * the wall clock.
 *
 * @example
 * import { Effect, TestClock, TestContext } from "effect"
 * import { Deadline } from "@understudy/core"
 *
 * const program = Effect.zipRight(TestClock.adjust("2 seconds"), Deadline.now)
 *
 * console.log(await Effect.runPromise(Effect.provide(program, TestContext.TestContext))) // => 2000
 *
 * @since 0.1.0
 * @category clock
 */
export const now: Effect.Effect<number> = Effect.map(Clock.currentTimeNanos, (nanos) => Number(nanos) / 1e6)

/**
 * The earlier of a bound that starts now and the deadline already in force.
 *
 * @example
 * import { Effect } from "effect"
 * import { Deadline } from "@understudy/core"
 *
 * const inner = Deadline.within("1 hour")
 * const program = Effect.provideService(inner, Deadline.Current, 5)
 *
 * console.log(Effect.runSync(program)) // => 5
 *
 * @since 0.1.0
 * @category constructors
 */
export const within = (duration: Duration.DurationInput): Effect.Effect<number> =>
  Effect.contextWithEffect((context: Context.Context<never>) =>
    Effect.map(now, (now) =>
      Math.min(inForce(context, Context.get(context, Current)), now + Duration.toMillis(duration))
    )
  )

/**
 * A cheaper `Effect.timeoutOption`, for what runs on every call and is nearly always in time: one fiber and a timer in
 * place of two fibers and a race, and no timer at all for an effect that completes at once.
 *
 * **Details**
 * - An effect that times out is interrupted, and not waited for beyond what it can do at once.
 * - Changes it makes to `FiberRef`s are lost.
 *
 * @example
 * import { Effect, Option } from "effect"
 * import { Deadline } from "@understudy/core"
 *
 * const program = Effect.all([
 *   Deadline.timeoutOption(Effect.succeed("answer"), "1 second"),
 *   Deadline.timeoutOption(Effect.never, "5 millis")
 * ])
 *
 * console.log((await Effect.runPromise(program)).map(Option.getOrNull)) // => [ 'answer', null ]
 *
 * @since 0.1.0
 * @category execution
 */
export const timeoutOption = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  duration: Duration.DurationInput
): Effect.Effect<Option.Option<A>, E, R> =>
  Effect.withFiberRuntime((fiber, { runtimeFlags }) => {
    const around = Runtime.make({
      context: fiber.currentContext as Context.Context<R>,
      fiberRefs: fiber.getFiberRefs(),
      runtimeFlags
    })
    const child = Runtime.runFork(around, effect)
    const settled = child.unsafePoll()
    if (settled !== null) return Exit.map(settled, Option.some)
    const clock = Context.get(fiber.getFiberRef(DefaultServices.currentServices), Clock.Clock)
    return Effect.async((resume) => {
      const cancel = after(clock, Duration.toMillis(duration), () => {
        child.unsafeInterruptAsFork(fiber.id())
        resume(Effect.as(letGo(child), Option.none()))
      })
      child.addObserver((exit) => {
        cancel()
        resume(Exit.map(exit, Option.some))
      })
      return Effect.suspend(() => {
        cancel()
        return Fiber.interrupt(child)
      })
    })
  })
