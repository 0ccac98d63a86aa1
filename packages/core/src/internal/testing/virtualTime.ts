import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import type * as FiberRefs from "effect/FiberRefs"
import * as Random from "effect/Random"
import * as Runtime from "effect/Runtime"
import * as RuntimeFlags from "effect/RuntimeFlags"
import type { Scheduler } from "effect/Scheduler"
import { SchedulingClock } from "./virtualClock.ts"

/**
 * Runs fibers in the order in which they are scheduled, within the same event loop tick: a step of virtual time is over
 * when no task is left.
 */
class Turns implements Scheduler {
  private tasks: Array<() => void> = []

  shouldYield(fiber: Fiber.RuntimeFiber<unknown, unknown>): number | false {
    return fiber.currentOpCount > fiber.getFiberRef(FiberRef.currentMaxOpsBeforeYield) ? 0 : false
  }

  scheduleTask(task: () => void): void {
    this.tasks.push(task)
  }

  take(): void {
    while (this.tasks.length > 0) {
      const { tasks } = this
      this.tasks = []
      for (const task of tasks) task()
    }
  }
}

/** Virtual time with its own random numbers: whatever runs in it runs as fast as possible, and reproducibly. */
export class VirtualTime {
  readonly clock: SchedulingClock = new SchedulingClock()
  private readonly turns = new Turns()
  private readonly fiberRefs: FiberRefs.FiberRefs
  private readonly runtimeFlags = RuntimeFlags.disable(
    Runtime.defaultRuntimeFlags,
    RuntimeFlags.RuntimeMetrics
  )

  constructor(seed: number) {
    this.fiberRefs = Effect.runSync(
      Effect.getFiberRefs.pipe(
        Effect.withClock(this.clock),
        Effect.withRandom(Random.make(seed)),
        Effect.withTracerEnabled(false)
      )
    )
  }

  /** Milliseconds since its start. */
  get now(): number {
    return this.clock.unsafeCurrentTimeMillis()
  }

  fork<A, E, R>(effect: Effect.Effect<A, E, R>, context: Context.Context<R>): Fiber.RuntimeFiber<A, E> {
    const { fiberRefs, runtimeFlags, turns } = this
    const fiber = Runtime.runFork(Runtime.make({ context, fiberRefs, runtimeFlags }), effect, {
      scheduler: turns
    })
    this.settle()
    return fiber
  }

  /** Runs the next step. `false` if nothing is left to happen. */
  step(): boolean {
    const moved = this.clock.step()
    this.settle()
    return moved
  }

  /** Runs until every fiber sleeps or has ended. */
  settle(): void {
    this.turns.take()
  }
}
