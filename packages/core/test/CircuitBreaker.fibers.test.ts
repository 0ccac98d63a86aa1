import { assert, describe } from "@effect/vitest"
import { Effect, Exit, FastCheck, Fiber, Random, Scope, Stream } from "effect"
import { CircuitBreaker, Outcome } from "../src/index.ts"
import {
  compare,
  configs,
  configsOf,
  eventOf,
  later,
  type Op,
  ops,
  outcomes,
  SetClock,
  type Step,
  triggers
} from "./breakerScript.ts"
import { law } from "./law.ts"

const { array, boolean, constant, constantFrom, integer, nat, oneof, record } = FastCheck

const failed = Outcome.failure()

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
      // The engine's alone.
      if (op._tag === "Retract") continue
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
        case "Trip":
          seen.push(yield* breaker.trip(event.retryAfter))
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
    "L11: reading and listening change nothing that follows",
    [configs, ops, nat(29)],
    (config, ops, reads) => {
      const between = ({ state, transitions }: CircuitBreaker.CircuitBreaker) =>
        reads === 0 ? Effect.scoped(Stream.toPull(transitions)) : Effect.repeatN(state, reads % 3)
      assert.deepStrictEqual(drive(config, ops, { between }), drive(config, ops))
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
    "L20: whoever listens hears every transition once and in order, however calls interleave",
    [
      array(
        array(record({ before: nat(12), during: nat(3), ok: boolean() }), { minLength: 1, maxLength: 6 }),
        {
          minLength: 1,
          maxLength: 6
        }
      )
    ],
    async (fibers) => {
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
        const run = (calls: (typeof fibers)[number]) =>
          Effect.forEach(calls, ({ before, during, ok }) =>
            Effect.repeatN(Effect.yieldNow(), during).pipe(
              Effect.zipRight(ok ? Effect.void : Effect.fail("down")),
              CircuitBreaker.execute(breaker),
              // Steps that make every fiber give way at another point of its way.
              Effect.zipLeft(Effect.repeatN(Effect.void, before)),
              Effect.exit
            )
          )
        yield* Effect.forEach(fibers, run, { concurrency: "unbounded", discard: true })
        yield* Effect.repeatN(Effect.yieldNow(), 20)
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
      assert.deepStrictEqual(merged, machine)
    }
  )
})
