import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Attempt from "../../Attempt.ts"
import * as Health from "../../Health.ts"
import type * as Simulation from "../../testing/Simulation.ts"
import { arrivals } from "./arrivals.ts"
import { clientBackoff, clientWait } from "./client.ts"
import { Draws } from "./draws.ts"
import { quantile } from "./latency.ts"
import { Tally } from "./tally.ts"
import { CurrentRequest, Upstreams } from "./upstreams.ts"
import { VirtualTime } from "./virtualTime.ts"

/** A request in flight. */
interface Open {
  readonly number: number
  readonly at: number
  /** The random choices of the caller and its client. */
  readonly draws: Draws
  readonly context: Context.Context<never>
  fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined
  /** Ends a wait, of the client for the next try or of the caller for an answer. */
  readonly timers: Array<() => boolean>
  /** How often each tier was called. */
  readonly calls: Array<number>
  runs: number
  last: Attempt.RunEnded | undefined
}

/** Requests that are still in flight this long after the last arrival are given up. */
const patience = 86_400_000

/** A running simulation. */
export class Simulator {
  private readonly options: Simulation.Options
  private readonly seed: number
  private readonly length: number
  private readonly time: VirtualTime
  private readonly upstreams: Upstreams
  private readonly tally: Tally
  private readonly health: Health.Health
  private readonly effect: Effect.Effect<unknown, unknown>
  private readonly coming: Iterator<number, void>
  private readonly open = new Set<Open>()
  private count = 0
  private arriving = true

  constructor(subject: Simulation.Subject, options: Simulation.Options) {
    const { script, seed = 1 } = options
    this.options = options
    this.seed = seed
    this.length = Duration.toMillis(script.for)
    this.time = new VirtualTime(seed)
    this.upstreams = new Upstreams(script, seed, this.time)
    this.tally = new Tally(
      this.length,
      options.every === undefined ? sliceOf(this.length) : Duration.toMillis(options.every)
    )
    this.health = this.now(Health.make({ alerts: subject.alert === undefined ? [] : [subject.alert] }))
    this.effect = this.now(subject.make({ call: (tier, ...also) => this.upstreams.call(tier, also) }))
    const unknown = this.upstreams.unknown(subject.names ?? [])
    if (unknown !== undefined) {
      throw new RangeError(`Simulation: the script names "${unknown}", and no tier has that name`)
    }
    this.coming = arrivals(script.load, this.length, seed)
    this.next()
    if (subject.alert !== undefined) this.watch()
  }

  /** Advances by this many steps, each of which may end many runs. `false` when the simulation is over. */
  advance(steps: number): boolean {
    return withoutStacks(() => {
      for (let left = steps; left > 0; left--) {
        const over = !this.arriving && (this.open.size === 0 || this.time.now > this.length + patience)
        if (over || !this.time.step()) {
          for (const request of this.open) this.end(request, "unanswered")
          this.time.settle()
          return false
        }
      }
      return true
    })
  }

  /** The elapsed share of the time in which requests arrive. */
  get progress(): number {
    return Math.min(1, this.time.now / this.length)
  }

  /** In the order in which they were first called. */
  get tiers(): ReadonlyArray<string> {
    return this.upstreams.tiers
  }

  report(): Simulation.Report {
    const { costs, tiers } = this.upstreams
    return this.tally.report(
      tiers.map((tier, index) => ({ tier, cost: costs[index] ?? 0 })),
      this.seed,
      this.length,
      this.time.now
    )
  }

  /** Runs a synchronous effect. */
  private now<A>(effect: Effect.Effect<A>): A {
    const exit = this.time.fork(effect, Context.empty()).unsafePoll()
    if (exit === null) throw new Error("Simulation: what is simulated must be made at once")
    if (Exit.isFailure(exit)) throw new Error(`Simulation: ${exit.cause}`)
    return exit.value
  }

  private after(millis: number, task: () => void): () => boolean {
    return this.time.clock.unsafeSchedule(task, Duration.millis(millis))
  }

  private next(): void {
    const { done, value } = this.coming.next()
    if (done === true) this.arriving = false
    else {
      this.after(value - this.time.now, () => {
        this.arrive()
        this.next()
      })
    }
  }

  private watch(): void {
    for (const { alert, firing } of this.now(this.health.alerts)) {
      this.tally.alert(alert.tier, firing, this.time.now)
    }
    if (this.arriving) this.after(Math.max(1_000, this.length / 3_600), () => this.watch())
  }

  private arrive(): void {
    const number = this.count++
    const calls: Array<number> = []
    const request: Open = {
      number,
      at: this.time.now,
      draws: new Draws(this.seed, -2, number),
      context: Context.make(Attempt.Listener, (event) => this.hear(request, event)).pipe(
        Context.add(CurrentRequest, { number, calls })
      ),
      fiber: undefined,
      timers: [],
      calls,
      runs: 0,
      last: undefined
    }
    this.open.add(request)
    const { leave } = this.options.script.load
    if (leave !== undefined && request.draws.next() < leave.share) {
      const after = quantile(leave.after, request.draws.next())
      request.timers.push(this.after(after, () => this.end(request, "left")))
    }
    this.ask(request)
  }

  private ask(request: Open): void {
    const timeout = this.options.script.load.client?.timeout
    request.runs++
    const fiber = this.time.fork(this.effect, request.context)
    request.fiber = fiber
    const cancel =
      timeout === undefined
        ? undefined
        : this.after(Duration.toMillis(timeout), () => {
            request.fiber = undefined
            fiber.unsafeInterruptAsFork(FiberId.none)
            this.again(request, clientBackoff(request.runs, request.draws))
          })
    fiber.addObserver((exit) => {
      cancel?.()
      if (request.fiber !== fiber) return
      request.fiber = undefined
      if (Exit.isSuccess(exit)) this.end(request, "served")
      else if (request.last?.outcome === "rejected") this.end(request, "rejected")
      else this.again(request, clientWait(exit, request.runs, request.draws))
    })
  }

  /** The client's own retry, if it has one left. */
  private again(request: Open, wait: number | undefined): void {
    const { client } = this.options.script.load
    if (wait === undefined || client === undefined || request.runs > client.retries) {
      this.end(request, "failed")
    } else request.timers.push(this.after(wait, () => this.ask(request)))
  }

  private end(request: Open, ending: Simulation.Ending): void {
    const { at, calls, fiber, last, runs, timers } = request
    this.open.delete(request)
    request.fiber = undefined
    fiber?.unsafeInterruptAsFork(FiberId.none)
    for (const cancel of timers) cancel()
    const servedBy = ending === "served" ? last?.servedBy : undefined
    const attempts = calls.reduce((sum, count) => sum + count, 0)
    const ended = { at, endedAt: this.time.now, ending, servedBy, runs, attempts }
    this.tally.request(ended)
    this.options.onRequest?.(ended)
  }

  private hear(request: Open, event: Attempt.Event): void {
    if (event._tag === "RunEnded") request.last = event
    this.tally.event(event, this.time.now)
    this.health.listener(event)
  }
}

const nice = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400]

/** A slice length that gives at most 120 slices. */
const sliceOf = (length: number): number => {
  const least = length / 120
  return (nice.find((seconds) => seconds * 1_000 >= least) ?? Math.ceil(least / 86_400_000) * 86_400) * 1_000
}

/** Specific to V8. */
const errors: ErrorConstructor & { stackTraceLimit?: number } = Error

/** An error's stack trace costs more than the run that ends with it. */
const withoutStacks = <A>(run: () => A): A => {
  const { stackTraceLimit = 10 } = errors
  errors.stackTraceLimit = 0
  try {
    return run()
  } finally {
    errors.stackTraceLimit = stackTraceLimit
  }
}
