import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, FastCheck, Fiber, Random, Scope, Stream } from "effect"
import { CircuitBreaker, Outcome } from "../src/index.ts"
import { push } from "../src/internal/breakerWindow.ts"
import {
  calls,
  compare,
  configs,
  configsOf,
  eventOf,
  later,
  type Op,
  ops,
  outcomes,
  play,
  SetClock,
  type Step,
  triggers
} from "./breakerScript.ts"
import { law } from "./law.ts"

const { array, boolean, constant, constantFrom, integer, nat, oneof, record } = FastCheck

const failed = Outcome.failure()

const isFailure = ({ event }: Step): boolean => event._tag === "Report" && event.outcome._tag === "Failure"

const isSlow = ({ trip }: CircuitBreaker.Config, took: number): boolean =>
  trip.some((trigger) => trigger._tag === "Slow" && took > Duration.toMillis(trigger.after))

/** A script through the breaker itself: what every admission was answered, and what state everything left. */
const drive = (
  config: CircuitBreaker.Config,
  script: ReadonlyArray<Op>,
  options: {
    readonly twice?: boolean
    readonly between?: (breaker: CircuitBreaker.CircuitBreaker) => Effect.Effect<unknown>
  } = {}
) => {
  const clock = new SetClock()
  return Effect.gen(function* () {
    const breaker = yield* CircuitBreaker.make({ ...config, key: "k" })
    const permits: Array<CircuitBreaker.Permit> = []
    const scopes: Array<Scope.CloseableScope> = []
    const seen: Array<unknown> = []
    for (const op of script) {
      clock.now = later(clock.now, op.wait, yield* breaker.state)
      if (options.between !== undefined) yield* options.between(breaker)
      const event = eventOf(op, clock.now, permits)
      switch (event?._tag) {
        case "Admit": {
          const { changes, permit, rejection } = yield* breaker.decide
          if (permit !== undefined) permits.push(permit)
          seen.push([changes, { ...permit }, rejection])
          break
        }
        case "Report":
          seen.push(yield* breaker.report(event.permit, event.outcome))
          if (options.twice) assert.isUndefined(yield* breaker.report(event.permit, event.outcome))
          break
        case "Isolate":
          scopes.push(yield* Scope.make())
          yield* Scope.extend(breaker.isolate, scopes.at(-1)!)
          break
        case "Release":
          yield* Scope.close(scopes.pop() ?? (yield* Scope.make()), Exit.void)
          break
        case "Reset":
          yield* breaker.reset
      }
      seen.push(yield* breaker.state)
    }
    return seen
  }).pipe(Effect.withClock(clock), Effect.withRandom(Random.make("drive")), Effect.runSync)
}

describe("CircuitBreaker", () => {
  law(
    "L8: open refuses until its time and admits the first call from then on",
    [configs, ops],
    (config, ops) => {
      for (const { after, before, decision, event } of play({ ...config, observeOnly: false }, ops)) {
        if (before._tag !== "Open" || event._tag !== "Admit") continue
        if (event.now < before.until) {
          assert.isUndefined(decision.permit)
          assert.strictEqual(decision.rejection?.retryAfter, before.until - event.now)
          assert.strictEqual(after, before)
        } else assert.isDefined(decision.permit)
      }
    }
  )

  law("L9: probes never exceed their number, nor what a verdict can take", [configs, ops], (config, ops) => {
    const { failuresToOpen, probes, successesToClose } = config
    let neutral = 0
    for (const { after, before, decision, event } of play(config, ops)) {
      if (after._tag !== "HalfOpen" || before.epoch !== after.epoch) neutral = 0
      if (after._tag !== "HalfOpen") continue
      const freed = event._tag === "Report" && event.outcome._tag === "Ignored" && after.late === before.late
      if (before._tag === "HalfOpen" && before.epoch === after.epoch && freed && event.permit.id > 0)
        neutral++
      assert.isAtMost(after.probes.length, probes)
      assert.isAtMost(after.admitted - neutral, successesToClose + failuresToOpen - 1)
      assert.strictEqual(
        after.admitted,
        neutral + after.probes.length + after.successes + after.failures,
        JSON.stringify(decision)
      )
    }
  })

  law("L10: it is the model, in every state and every answer", [configs, ops], (config, ops) =>
    compare(config, play(config, ops))
  )

  law(
    "L11: reading and listening change nothing that follows",
    [configs, ops, nat(9)],
    (config, ops, reads) => {
      const between = ({ state, transitions }: CircuitBreaker.CircuitBreaker) =>
        reads === 0 ? Effect.scoped(Stream.toPull(transitions)) : Effect.repeatN(state, reads)
      assert.deepStrictEqual(drive(config, ops, { between }), drive(config, ops))
    }
  )

  law(
    "L12: a permit of another epoch changes nothing but the count of late reports",
    [configs, ops, integer({ min: -50, max: 50 }).filter((n) => n !== 0), nat(3), nat(10_000), outcomes],
    (config, ops, away, id, wait, outcome) => {
      for (const { after: state, event } of play(config, ops)) {
        const now = event.now + wait
        const permit = { epoch: state.epoch + away, id, at: event.now }
        const report = { _tag: "Report", now, permit, outcome, random: 0.5 } as const
        const [decision, after] = CircuitBreaker.step(config, state, report)
        assert.deepStrictEqual(after, { ...state, late: state.late + 1 })
        assert.deepStrictEqual(decision.changes, [])
      }
    }
  )

  law("L13: reporting a permit twice is reporting it once", [configs, ops], (config, ops) =>
    assert.deepStrictEqual(drive(config, ops, { twice: true }), drive(config, ops))
  )

  law(
    "L13: every admitted call is reported, however it ends: no probe is left behind",
    [
      configsOf(triggers.consecutive),
      array(
        record({
          end: constantFrom(
            ...(["succeed", "fail", "die", "interrupt", "never", "classifier throws"] as const)
          ),
          finalizer: constantFrom(...(["none", "interruptible", "dies"] as const)),
          turns: nat(4),
          interruptAfter: nat(8)
        }),
        { minLength: 1, maxLength: 8 }
      )
    ],
    async (config, calls) => {
      const clock = new SetClock(true)
      const turns = (n: number) => Effect.repeatN(Effect.yieldNow(), n)
      await Effect.gen(function* () {
        const breaker = yield* CircuitBreaker.make({ ...config, observeOnly: false, key: "k" })
        const balance = { admitted: 0, reported: 0 }
        const counted: CircuitBreaker.CircuitBreaker = {
          ...breaker,
          admit: Effect.tap(breaker.admit, () => {
            balance.admitted++
          }),
          report: (permit, outcome) => {
            balance.reported++
            return breaker.report(permit, outcome)
          }
        }
        for (const round of [0, 1]) {
          clock.now = round * 100_000
          const fibers = yield* Effect.forEach(calls, ({ end, finalizer, interruptAfter, turns: n }) => {
            const ending: Effect.Effect<void, string> = {
              succeed: Effect.void,
              fail: Effect.fail("down"),
              die: Effect.die("bug"),
              interrupt: Effect.interrupt,
              never: Effect.never,
              "classifier throws": Effect.void
            }[end]
            const closing = {
              none: Effect.void,
              interruptible: Effect.interruptible(turns(3)),
              dies: Effect.die("in finalizer")
            }[finalizer]
            const call = CircuitBreaker.execute(
              Effect.ensuring(Effect.zipRight(turns(n), ending), closing),
              counted,
              {
                classify: (exit) => {
                  if (end === "classifier throws") throw new Error("bug")
                  return Outcome.fromExit(exit, Outcome.classifyError)
                }
              }
            )
            return Effect.gen(function* () {
              const fiber = yield* Effect.fork(call)
              // A call that ends by itself may be interrupted before it starts, while it runs or not at all.
              if (interruptAfter > 0 || end === "never") yield* turns(interruptAfter)
              yield* end === "never" || interruptAfter % 2 === 0 ? Fiber.interrupt(fiber) : Fiber.await(fiber)
            }).pipe(Effect.fork)
          })
          yield* Fiber.awaitAll(fibers)
          assert.strictEqual(balance.reported, balance.admitted)
          const state = yield* breaker.state
          if (state._tag === "HalfOpen") assert.deepStrictEqual(state.probes, [])
        }
        clock.now = 10_000_000
        assert.isTrue(Exit.isSuccess(yield* Effect.exit(breaker.admit)))
      }).pipe(Effect.withClock(clock), Effect.runPromise)
    }
  )

  law(
    "L14: ignored calls in a closed run change nothing",
    [configs, calls, array(nat(80), { maxLength: 20 })],
    (config, calls, places) => {
      const steps = play(config, calls)
      const opened = steps.findIndex(({ after }) => after._tag !== "Closed")
      let state = CircuitBreaker.initial
      for (const [index, { after, event }] of steps.slice(0, opened === -1 ? undefined : opened).entries()) {
        for (const _ of places.filter((place) => place === index)) {
          const { now } = event
          const [{ permit }, admitted] = CircuitBreaker.step(config, state, { _tag: "Admit", now })
          const outcome = Outcome.ignored()
          const report = { _tag: "Report", now, permit: permit!, outcome, random: 0.5 } as const
          state = CircuitBreaker.step(config, admitted, report)[1]
        }
        state = CircuitBreaker.step(config, state, event)[1]
        assert.deepStrictEqual(state, after)
      }
    }
  )

  law(
    "L15: a fast success never opens a closed breaker, a failure never closes a half-open one",
    [configs, ops],
    (config, ops) => {
      for (const step of play(config, ops)) {
        const { after, before, event } = step
        if (event._tag !== "Report") continue
        if (before._tag === "HalfOpen" && isFailure(step)) assert.notStrictEqual(after._tag, "Closed")
        const fast = event.outcome._tag === "Success" && !isSlow(config, event.now - event.permit.at)
        if (before._tag === "Closed" && fast) assert.strictEqual(after._tag, "Closed")
      }
    }
  )

  law(
    "L16: what opens it is a failure that makes enough of the calls in sight failures, and nothing less",
    [configsOf(oneof(triggers.consecutive, triggers.rate), 1), ops],
    (config, ops) => {
      const [trip] = config.trip
      let recorded: Array<{ readonly at: number; readonly failed: boolean }> = []
      for (const step of play(config, ops)) {
        const { after, before, event } = step
        if (before._tag !== "Closed" || before.epoch !== after.epoch - (after._tag === "Closed" ? 0 : 1))
          recorded = []
        if (before._tag !== "Closed" || event._tag !== "Report" || after.late !== before.late) continue
        if (event.permit.id < 0 || event.outcome._tag === "Ignored") continue
        recorded.push({ at: event.now, failed: isFailure(step) })
        const pushback = event.outcome._tag === "Failure" && event.outcome.trip
        if (pushback || trip._tag === "Slow") continue
        const last = trip._tag === "Consecutive" ? recorded.slice(-trip.failures) : inSight(trip, recorded)
        const failures = last.filter(({ failed }) => failed).length
        const enough =
          trip._tag === "Consecutive"
            ? failures === trip.failures
            : isFailure(step) && last.length >= trip.minimumCalls && failures / last.length >= trip.threshold
        assert.strictEqual(after._tag === "Open", enough)
      }
    }
  )

  law(
    "L17: a window holds exactly the calls that are not yet out of it, after any pause",
    [
      integer({ min: 1, max: 70 }),
      integer({ min: 1, max: 12 }),
      constantFrom(1, 10, 250),
      array(record({ wait: oneof(constant(0), nat(40), nat(2_000), constant(10 ** 9)), hit: boolean() }), {
        maxLength: 150,
        size: "max"
      }),
      oneof(constant(0), nat(10_000))
    ],
    (size, buckets, width, entries, shift) => {
      const time = { window: Duration.millis(buckets * width), buckets }
      let [bySize, byTime, shifted]: Array<CircuitBreaker.Window | undefined> = []
      const seen: Array<{ readonly at: number; readonly hit: boolean }> = []
      let now = 0
      for (const { hit, wait } of entries) {
        now += wait
        seen.push({ at: now, hit })
        bySize = push({ size }, bySize, now, hit)
        byTime = push(time, byTime, now, hit)
        shifted = push(time, shifted, now + shift * width, hit)
        const last = seen.slice(-size)
        const live = seen.filter(({ at }) => Math.floor(at / width) > Math.floor(now / width) - buckets)
        const hits = (of: typeof seen) => of.filter(({ hit }) => hit).length
        assert.isTrue(bySize.calls === last.length && bySize.hits === hits(last))
        assert.isTrue(byTime.calls === live.length && byTime.hits === hits(live))
        assert.isTrue(shifted.calls === live.length && shifted.hits === hits(live))
      }
    }
  )

  law(
    "L17: the whole machine does not care when time began",
    [configs, calls, nat(10 ** 6)],
    (config, calls, shift) => {
      // A multiple of every bucket's width there is in the generator: 1.2 and 6 seconds in 1 to 4 buckets.
      const by = shift * 12_000
      let state: CircuitBreaker.State = { ...CircuitBreaker.initial, closedAt: by } as CircuitBreaker.State
      for (const { after, decision, event } of play(config, calls)) {
        const permit = event._tag === "Report" && { ...event.permit, at: event.permit.at + by }
        const [shifted, next] = CircuitBreaker.step(config, state, {
          ...event,
          now: event.now + by,
          ...(permit && { permit })
        } as CircuitBreaker.Event)
        assert.strictEqual(next._tag, after._tag)
        assert.strictEqual(shifted.permit === undefined, decision.permit === undefined)
        assert.strictEqual(CircuitBreaker.notBefore(next) || by, CircuitBreaker.notBefore(after) + by)
        state = next
      }
    }
  )

  law(
    "L18: open times grow to their most, are jittered only upwards, and begin anew after a close",
    [configs, ops],
    (config, ops) => {
      const [openFor, maxOpenFor, resetAfter] = [config.openFor, config.maxOpenFor, config.resetAfter].map(
        Duration.toMillis
      ) as [number, number, number]
      const planned = (n: number) => Math.min(maxOpenFor, openFor * Math.min(config.factor ** (n - 1), 1e300))
      let [openings, closedAt] = [0, 0]
      for (const { decision, event } of play(config, ops)) {
        for (const { at, consecutiveOpenings, from, reason, retryAfter, to } of decision.changes) {
          if (to === "Closed" && reason !== "recovered") openings = 0
          if (to === "Closed") closedAt = at
          if (retryAfter === undefined || consecutiveOpenings === undefined) continue
          openings = from === "Closed" && at - closedAt >= resetAfter ? 1 : openings + 1
          assert.strictEqual(consecutiveOpenings, openings)
          const hint =
            reason !== "lease" && event._tag === "Report" && event.outcome._tag === "Failure"
              ? Math.min(maxOpenFor, Duration.toMillis(event.outcome.retryAfter ?? 0))
              : 0
          const [least, most] = [planned(openings), planned(openings) * (1 + config.jitter)]
          assert.isAtLeast(planned(openings + 1), least)
          assert.isAtLeast(Duration.toMillis(retryAfter), Math.max(least, hint) - 1e-6)
          assert.isAtMost(Duration.toMillis(retryAfter), Math.max(most, hint) + 1e-6)
        }
      }
    }
  )

  law("L19: while anybody isolates it nothing is admitted", [configs, ops], (config, ops) => {
    let handles = 0
    for (const { after, before, decision, event } of play(config, ops)) {
      if (before._tag === "Isolated" && after._tag !== "Isolated") assert.strictEqual(after._tag, "Closed")
      if (event._tag === "Isolate") handles++
      if (event._tag === "Release") handles = Math.max(0, handles - 1)
      assert.strictEqual(after._tag === "Isolated", handles > 0)
      if (event._tag === "Admit" && handles > 0) {
        assert.isUndefined(decision.permit)
        assert.strictEqual(decision.rejection?.state, "Isolated")
      }
    }
  })

  law(
    "L20: the epoch grows by one with every transition and never otherwise",
    [configs, ops],
    (config, ops) => {
      for (const { after, before, decision } of play(config, ops)) {
        let [tag, epoch]: [string, number] = [before._tag, before.epoch]
        for (const change of decision.changes) {
          assert.deepStrictEqual([change.from, change.epoch], [tag, epoch + 1])
          ;[tag, epoch] = [change.to, change.epoch]
        }
        assert.deepStrictEqual([after._tag, after.epoch], [tag, epoch])
      }
    }
  )

  law(
    "L20: whoever listens hears every transition once and in order, however calls interleave",
    [array(record({ turns: nat(3), ok: boolean() }), { minLength: 1, maxLength: 60, size: "max" })],
    async (calls) => {
      const clock = new SetClock(true)
      const heard: Array<number> = []
      const epoch = await Effect.gen(function* () {
        const breaker = yield* CircuitBreaker.make({
          key: "k",
          trip: CircuitBreaker.consecutive(1),
          openFor: 0,
          probes: 2
        })
        const pull = yield* Stream.toPull(breaker.transitions)
        const listen = Effect.forever(
          Effect.map(pull, (some) => {
            for (const { epoch } of some) heard.push(epoch)
          })
        )
        const first = yield* Effect.fork(listen)
        yield* Effect.yieldNow()
        yield* Effect.forEach(
          calls,
          ({ ok, turns }) =>
            Effect.repeatN(Effect.yieldNow(), turns).pipe(
              Effect.zipRight(ok ? Effect.void : Effect.fail("down")),
              CircuitBreaker.execute(breaker),
              Effect.exit
            ),
          { concurrency: "unbounded", discard: true }
        )
        yield* Effect.repeatN(Effect.yieldNow(), 10)
        yield* Fiber.interrupt(first)
        return (yield* breaker.state).epoch
      }).pipe(Effect.scoped, Effect.withMaxOpsBeforeYield(16), Effect.withClock(clock), Effect.runPromise)
      assert.deepStrictEqual(
        heard,
        Array.from({ length: epoch }, (_, index) => index + 1)
      )
    }
  )

  law(
    "L28: concurrent calls are as good as one after the other, in the order in which they reach the state",
    [
      configs,
      array(
        record({
          before: nat(3),
          during: nat(3),
          store: nat(2),
          tick: oneof(constant(0), nat(2_000)),
          outcome: outcomes
        }),
        { minLength: 1, maxLength: 24 }
      )
    ],
    async (config, calls) => {
      const clock = new SetClock(true)
      const turns = (n: number) => Effect.repeatN(Effect.yieldNow(), n)
      const history: Array<Step> = []
      let state = CircuitBreaker.initial
      const random = 0.25

      await Effect.forEach(
        calls,
        ({ before, during, outcome, store: delay, tick }) =>
          Effect.gen(function* () {
            let doing: (now: number) => CircuitBreaker.Event = (now) => ({ _tag: "Admit", now })
            // One state behind a store that takes its time, and tells the order in which it was reached.
            const store: CircuitBreaker.Store = {
              modify: (_, f) =>
                Effect.zipRight(
                  turns(delay),
                  Effect.sync(() => {
                    const [decision, after] = f(state)
                    const event = doing(clock.now)
                    history.push({
                      event,
                      before: state,
                      decision: decision as CircuitBreaker.Decision,
                      after
                    })
                    state = after
                    return decision
                  })
                )
            }
            const breaker = yield* CircuitBreaker.make({ ...config, key: "k", store })
            yield* turns(before)
            clock.now += tick
            const admission = yield* Effect.either(breaker.admit)
            assert.strictEqual(
              history.some(
                (step) => admission._tag === "Right" && step.decision.permit === admission.right.permit
              ),
              admission._tag === "Right"
            )
            if (admission._tag === "Left") return
            yield* turns(during)
            const { permit } = admission.right
            doing = (now) => ({ _tag: "Report", now, permit, outcome, random })
            yield* breaker.report(permit, outcome)
          }),
        { concurrency: "unbounded", discard: true }
      ).pipe(Effect.withClock(clock), Effect.withRandom(Random.fixed([random])), Effect.runPromise)
      compare(config, history)
    }
  )

  law(
    "L28: of n calls at the end of the open time exactly as many probe as may",
    [integer({ min: 1, max: 4 }), integer({ min: 1, max: 4 }), integer({ min: 1, max: 4 }), nat(12), nat(3)],
    async (probes, successesToClose, failuresToOpen, n, during) => {
      const clock = new SetClock(true)
      const ran = await Effect.gen(function* () {
        const trip = CircuitBreaker.consecutive(1)
        const options = { key: "k", trip, probes, successesToClose, failuresToOpen }
        const breaker = yield* CircuitBreaker.make(options)
        yield* Effect.exit(CircuitBreaker.execute(Effect.fail("down"), breaker))
        clock.now = Math.ceil(CircuitBreaker.notBefore(yield* breaker.state))
        let ran = 0
        const call = Effect.zipRight(
          Effect.sync(() => {
            ran++
          }),
          Effect.never
        )
        const fibers = yield* Effect.forEach(Array.from({ length: n }), () =>
          Effect.fork(
            Effect.zipRight(
              Effect.clockWith((clock) => clock.currentTimeNanos),
              CircuitBreaker.execute(call, breaker)
            )
          )
        )
        yield* Effect.repeatN(Effect.yieldNow(), 20 + during)
        yield* Fiber.interruptAll(fibers)
        return ran
      }).pipe(Effect.withClock(clock), Effect.runPromise)
      assert.strictEqual(ran, Math.min(n, probes, successesToClose + failuresToOpen - 1))
    }
  )

  law(
    "L32: what happens to one key changes nothing for another; two tiers of one breaker are one machine",
    [
      configs,
      array(record({ key: constantFrom("a", "b"), ok: boolean(), wait: nat(2_000) }), { maxLength: 60 })
    ],
    (config, calls) => {
      const run = (only: ReadonlyArray<string>, keyOf: (key: string) => string) => {
        const clock = new SetClock()
        return Effect.gen(function* () {
          const breakerOf = yield* CircuitBreaker.keyed(config)
          const states: Array<unknown> = []
          for (const { key, ok, wait } of calls) {
            clock.now += wait
            if (!only.includes(key)) continue
            const breaker = breakerOf(keyOf(key))
            yield* Effect.exit(CircuitBreaker.execute(ok ? Effect.void : Effect.fail("down"), breaker))
            states.push([breaker.key, yield* breaker.state])
          }
          return states
        }).pipe(Effect.withClock(clock), Effect.withRandom(Random.fixed([0.5])), Effect.runSync)
      }
      const [both, a, b] = [["a", "b"], ["a"], ["b"]].map((keys) => run(keys, (key) => key))
      for (const [key, alone] of [
        ["a", a],
        ["b", b]
      ] as const) {
        assert.deepStrictEqual(
          both!.filter((entry) => (entry as [string])[0] === key),
          alone
        )
      }
      const merged = run(["a", "b"], () => "shared")
      const machine: Array<unknown> = []
      let [state, now] = [CircuitBreaker.initial, 0]
      for (const { ok, wait } of calls) {
        now += wait
        const [{ permit }, admitted] = CircuitBreaker.step(config, state, { _tag: "Admit", now })
        const outcome = ok ? Outcome.success : failed
        state = permit
          ? CircuitBreaker.step(config, admitted, { _tag: "Report", now, permit, outcome, random: 0.5 })[1]
          : admitted
        machine.push(["shared", state])
      }
      assert.deepStrictEqual(timeless(merged), timeless(machine))
    }
  )

  law("observing only decides the same and refuses nothing", [configs, calls], (config, calls) => {
    const steps = play({ ...config, observeOnly: true }, calls)
    let state = CircuitBreaker.initial
    for (const { after, decision, event } of steps) {
      if (event._tag === "Admit") assert.isDefined(decision.permit)
      if (event._tag === "Report" && event.permit.id < 0) {
        assert.strictEqual(state, after)
        continue
      }
      const [enforced, next] = CircuitBreaker.step({ ...config, observeOnly: false }, state, event)
      assert.deepStrictEqual(next, after)
      assert.deepStrictEqual([enforced.rejection, enforced.changes], [decision.rejection, decision.changes])
      assert.strictEqual(
        enforced.permit === undefined,
        decision.rejection !== undefined || event._tag === "Report"
      )
      state = after
    }
  })

  law("a state that was written down and read again goes on the same", [configs, ops], (config, ops) => {
    let state = CircuitBreaker.initial
    for (const { after, event } of play(config, ops)) {
      state = JSON.parse(JSON.stringify(CircuitBreaker.step(config, state, event)[1]))
      assert.deepStrictEqual(state, after)
    }
  })
})

const inSight = (
  span: CircuitBreaker.Rate,
  calls: ReadonlyArray<{ readonly at: number; readonly failed: boolean }>
) => {
  if ("size" in span) return calls.slice(-span.size)
  const width = Duration.toMillis(span.window) / span.buckets
  const oldest = Math.floor(calls.at(-1)!.at / width) - span.buckets
  return calls.filter(({ at }) => Math.floor(at / width) > oldest)
}

/** Without the instants that no decision depends on where no trigger looks at the time. */
const timeless = (states: ReadonlyArray<unknown>) => JSON.parse(JSON.stringify(states))

it("the laws above have something to say: their scripts reach every state and every reason", () => {
  const seen = new Set<string>()
  for (const [config, script] of FastCheck.sample(FastCheck.tuple(configs, ops), 2_000)) {
    for (const { after, decision } of play(config, script)) {
      seen.add(after._tag)
      for (const { reason } of decision.changes) seen.add(reason)
    }
  }
  assert.sameMembers(
    [...seen],
    ["Closed", "Open", "HalfOpen", "Isolated"].concat(
      ["consecutive", "rate", "slow", "pushback", "probe", "lease", "elapsed", "recovered"],
      ["isolated", "released", "reset"]
    )
  )
})
