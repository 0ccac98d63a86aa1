import { assert } from "@effect/vitest"
import { Chunk, Duration, Effect, type Exit, Fiber, Option, type Scope, Stream } from "effect"
import { Attempt, type CircuitBreaker, FallbackStream, Outcome } from "../../src/index.ts"
import { strays } from "../leftovers.ts"
import { rerouted } from "./breakers.ts"
import type { Plan, TierPlan, Tree } from "./plan.ts"
import { callName, type Entry } from "./simulator.ts"
import type { Caller, Speech, StreamPlan, StreamTierPlan } from "./streamPlan.ts"
import { abandon, run, type VirtualClock } from "./virtual.ts"
import { entry, Refused, World } from "./world.ts"

export interface Element {
  readonly call: string
  readonly index: number
  readonly counts: boolean
}

/** One time that somebody waited for a stream to say something. */
export interface Pull {
  readonly from: number
  /** When it had something to say, or was told to stop. */
  until: number | undefined
  /** Whether what it said counts. */
  readonly counts: boolean
}

/** One stream of a tier as the adversary behind it saw it. */
export interface StreamCall {
  readonly name: string
  readonly tier: TierPlan
  readonly speech: Speech
  /** What it was asked to go on from. */
  readonly after: ReadonlyArray<Element> | undefined
  readonly begun: number
  readonly opening: number
  closing: number
  readonly closed: Array<number>
  readonly pulls: Array<Pull>
}

/** What an admitted call was said to have been. */
export interface Report {
  readonly permit: CircuitBreaker.Permit
  readonly outcome: Outcome.Outcome
  readonly at: number
}

/** A success that was taken back. */
export interface Retraction extends Omit<Report, "permit"> {
  readonly permit: undefined
}

type Ladder<A> = FallbackStream.FallbackStream<A, Refused, never>

export interface StreamObservation {
  readonly exit: Exit.Exit<unknown, unknown> | undefined
  readonly endedAt: number
  /** What the caller was given, and when. */
  readonly given: ReadonlyArray<Element & { readonly at: number }>
  readonly calls: ReadonlyArray<StreamCall>
  readonly log: ReadonlyArray<Entry>
  readonly attempts: ReadonlyArray<Attempt.Attempt<unknown>>
  readonly events: ReadonlyArray<Attempt.Event>
}

/** Virtual time, and the streams of a plan, which remember who listened. */
export class StreamWorld {
  readonly calls: Array<StreamCall> = []
  readonly permits: Array<CircuitBreaker.Permit> = []
  readonly reports: Array<Report | Retraction> = []
  readonly plan: Plan
  readonly world: World
  private readonly streams: StreamPlan["streams"]
  private readonly called = new Map<string, number>()
  private order = 0
  private readonly before = new Set<unknown>(Fiber.unsafeRoots())

  constructor({ plan, streams }: StreamPlan) {
    this.plan = plan
    this.streams = streams
    this.world = new World(plan, { breaker: (breaker) => this.heard(breaker) })
  }

  get now(): number {
    return this.world.now
  }

  get clock(): VirtualClock {
    return this.world.clock
  }

  private heard(breaker: CircuitBreaker.CircuitBreaker): CircuitBreaker.CircuitBreaker {
    return rerouted(breaker, {
      decide: Effect.tap(({ permit }) => {
        if (permit !== undefined) this.permits.push(permit)
      }),
      report: (report, permit, outcome) =>
        Effect.suspend(() => {
          this.reports.push({ permit, outcome, at: this.now })
          return report
        }),
      retract: (retract, outcome) =>
        Effect.suspend(() => {
          this.reports.push({ permit: undefined, outcome, at: this.now })
          return retract
        })
    })
  }

  /** The stream behind a tier. */
  private stream(
    tier: TierPlan,
    script: ReadonlyArray<Speech>,
    after?: ReadonlyArray<Element>
  ): Stream.Stream<Element, Refused> {
    return Stream.unwrapScoped(
      Effect.suspend(() => {
        const number = this.called.get(tier.name) ?? 0
        this.called.set(tier.name, number + 1)
        const call: StreamCall = {
          name: callName(tier.name, number),
          tier,
          speech: script[number % script.length] as Speech,
          after,
          begun: this.now,
          opening: this.order++,
          closing: Number.POSITIVE_INFINITY,
          closed: [],
          pulls: []
        }
        this.calls.push(call)
        const close = Effect.sync(() => {
          call.closing = this.order++
          call.closed.push(this.now)
        })
        const { release } = call.speech.last
        return Effect.as(
          Effect.addFinalizer(() => (release === 0 ? close : Effect.zipRight(sleep(release), close))),
          Stream.repeatEffectChunkOption(this.pull(call))
        )
      })
    )
  }

  private pull(call: StreamCall): Effect.Effect<Chunk.Chunk<Element>, Option.Option<Refused>> {
    let said = 0
    return Effect.suspend(() => {
      const { last, pieces } = call.speech
      const piece = pieces[call.pulls.length]
      const counts = piece?.counts ?? []
      const pull: Pull = { from: this.now, until: undefined, counts: counts.includes(true) }
      call.pulls.push(pull)
      const elements = counts.map((counts, offset) => ({ call: call.name, index: said + offset, counts }))
      said += counts.length
      const answer =
        piece === undefined ? ending(last, call.name) : Effect.succeed(Chunk.fromIterable(elements))
      const turns = last.turns === 0 ? Effect.void : Effect.repeatN(Effect.yieldNow(), last.turns - 1)
      const work = Effect.zipRight(turns, Effect.zipRight(sleep(piece?.after ?? last.after), answer))
      return Effect.onExit(last.stubborn ? Effect.uninterruptible(work) : work, () =>
        Effect.sync(() => {
          pull.until = this.now
        })
      )
    })
  }

  streamOf({ tier }: { readonly tier: TierPlan }): StreamTierPlan {
    return this.streams[this.plan.tiers.indexOf(tier)] ?? assert.fail(tier.name)
  }

  private tier(tier: TierPlan): Ladder<Element> {
    const { idle, maxStream, resumes, script } = this.streamOf({ tier })
    return stage(this.world, tier, this.stream(tier, script), {
      isContent: ({ counts }) => counts,
      idle,
      maxStream,
      transcript,
      resume: resumes ? (sent) => this.stream(tier, script, sent) : undefined
    })
  }

  /** Has a caller read the plan's fallback, and notes all there is to see. */
  async observe({ leavesAt, pauses, takes }: Caller): Promise<StreamObservation> {
    const startedAt = this.now
    const before = this.calls.length
    const given: Array<StreamObservation["given"][number]> = []
    const attempts: Array<Attempt.Attempt<unknown>> = []
    const events: Array<Attempt.Event> = []
    const log: Array<Entry> = []
    const fallback = composed(this.plan.tree, (tier) => this.tier(tier))
    const wanted = takes === Number.POSITIVE_INFINITY ? fallback : Stream.take(fallback, takes)
    const reading = Stream.runForEach(wanted, (element) => {
      given.push({ ...element, at: this.now })
      return sleep(pauses[(given.length - 1) % pauses.length] ?? 0)
    })
    const listened = Effect.provideService(reading, Attempt.Listener, (event) => {
      events.push(event)
      if (event._tag !== "AttemptEnded") return
      attempts.push(event.attempt)
      log.push(entry(event.attempt, this.now))
    })
    const { elapsed, exit, fiber } = await run(listened, {
      clock: this.clock,
      seed: this.plan.seed,
      interruptAt: leavesAt
    })
    const seen = {
      exit,
      endedAt: startedAt + elapsed,
      given: [...given],
      calls: this.calls.slice(before),
      log: [...log],
      attempts: [...attempts],
      events: [...events]
    }
    if (exit === undefined) await abandon(fiber)
    return seen
  }

  /**
   * To be called when every run has ended: nothing sleeps but streams that were given up and did not let go, and when
   * these have ended too every stream was finalized once and no fiber lives.
   */
  async leavesNothingBehind(): Promise<void> {
    const endless = ({ pulls, speech: { last, pieces } }: StreamCall) =>
      last.stubborn && last.after === Number.POSITIVE_INFINITY && pulls.length > pieces.length
    const asleep = this.calls.filter((call) => call.closed.length === 0 && !endless(call))
    assert.isTrue(
      asleep.every(({ speech: { last } }) => last.stubborn || last.release > 0),
      "a stream outlived its run"
    )
    assert.strictEqual(this.clock.pending, asleep.length, "sleeps that nobody waits for")
    await this.world.end()
    assert.isTrue(
      this.calls.every(({ closed }) => closed.length === 1),
      "a stream was not finalized once"
    )
    assert.strictEqual(strays(this.before), 0, "a fiber outlived its run")
  }
}

const transcript: FallbackStream.Transcript<Element, ReadonlyArray<Element>> = {
  empty: [],
  add: (sent, element) => [...sent, element]
}

/** A tier of a world's policy that says what it is given. */
export const stage = <A>(
  world: World,
  tier: TierPlan,
  stream: Stream.Stream<A, Refused, Scope.Scope>,
  options?: Partial<
    Parameters<typeof FallbackStream.tier<A, Refused, Scope.Scope, ReadonlyArray<A>, never>>[0]
  >
): Ladder<A> =>
  FallbackStream.tier({
    ...world.told(tier),
    classify: (error) =>
      error._tag === "Refused" ? error.outcome : Outcome.failure({ errorType: error._tag }),
    stream,
    firstToken: tier.attemptTimeout,
    ...options
  })

export const composed = <A>(tree: Tree, tierOf: (tier: TierPlan) => Ladder<A>): Ladder<A> => {
  switch (tree._tag) {
    case "Tier":
      return tierOf(tree.tier)
    case "OrElse":
      return FallbackStream.orElse(composed(tree.left, tierOf), composed(tree.right, tierOf))
    case "Within":
      return FallbackStream.within(composed(tree.tree, tierOf), tree.millis)
    case "AtMost":
      return FallbackStream.atMost(composed(tree.tree, tierOf), tree.tiers)
  }
}

const sleep = (millis: number): Effect.Effect<void> =>
  millis === 0 ? Effect.void : Effect.sleep(Duration.millis(millis))

const ending = ({ end }: Speech["last"], call: string): Effect.Effect<never, Option.Option<Refused>> => {
  switch (end) {
    case "ok":
      return Effect.fail(Option.none())
    case "die":
      return Effect.die(call)
    case "interrupt":
      return Effect.interrupt
    default:
      return Effect.fail(Option.some(new Refused({ call, outcome: end })))
  }
}
