import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { Heap } from "./heap.ts"

interface Timer {
  readonly at: number
  /** Timers that are due together fire in the order in which they were set. */
  readonly order: number
  /** `undefined` once it is cancelled. */
  task: (() => void) | undefined
}

/** This many timers at one instant indicate an endless loop of zero-length sleeps. */
const standstill = 1_000_000

/**
 * Virtual time, which advances on demand to the next timer, without waiting. It only supports sleeping, like
 * `TestClock`; see {@link SchedulingClock}.
 */
export class VirtualClock implements Clock.Clock {
  readonly [Clock.ClockTypeId]: Clock.ClockTypeId = Clock.ClockTypeId
  /** In nanoseconds, and so without a fraction. */
  private now = 0
  private order = 0
  private cancelled = 0
  private still = 0
  private readonly timers: Heap<Timer> = new Heap(
    (one, other) => one.at < other.at || (one.at === other.at && one.order < other.order)
  )
  private endless = new Set<() => void>()

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
    const at = this.now + Math.round(Duration.toMillis(duration) * 1e6)
    if (at === Number.POSITIVE_INFINITY) {
      this.endless.add(task)
      return () => this.endless.delete(task)
    }
    const timer: Timer = { at, order: this.order++, task }
    this.timers.push(timer)
    return () => {
      const pending = timer.task !== undefined
      timer.task = undefined
      if (pending) this.forget()
      return pending
    }
  }

  /** The number of pending sleeps. */
  get pending(): number {
    return this.timers.size - this.cancelled
  }

  /** Wakes all endless sleeps. */
  end(): void {
    const { endless } = this
    this.endless = new Set()
    for (const task of endless) task()
  }

  /** Advances to the next timer; of several due together, the first one set. */
  step(): boolean {
    for (let next = this.timers.pop(); next !== undefined; next = this.timers.pop()) {
      const { at, task } = next
      if (task === undefined) {
        this.cancelled--
        continue
      }
      next.task = undefined
      this.still = at > this.now ? 0 : this.still + 1
      if (this.still > standstill) throw new Error("time stands still: somebody sleeps for nothing for ever")
      this.now = at
      task()
      return true
    }
    return false
  }

  /** Removes cancelled timers from time to time, since nearly all are cancelled. */
  private forget(): void {
    this.cancelled++
    if (this.cancelled < 1_000 || this.cancelled * 2 < this.timers.size) return
    this.timers.keep(({ task }) => task !== undefined)
    this.cancelled = 0
  }
}

/** {@link VirtualClock} with timers that need no fiber, like Effect's live clock. */
export class SchedulingClock extends VirtualClock {
  scheduler(): Effect.Effect<Clock.ClockScheduler> {
    return Effect.succeed(this)
  }
}
