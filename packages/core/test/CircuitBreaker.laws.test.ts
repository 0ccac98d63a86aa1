import { assert, describe, it } from "@effect/vitest"
import { Duration, FastCheck } from "effect"
import { CircuitBreaker, Outcome } from "../src/index.ts"
import { push } from "../src/internal/breaker/window.ts"
import {
  calls,
  compare,
  configs,
  configsOf,
  ops,
  outcomes,
  play,
  type Step,
  triggers
} from "./breakerScript.ts"
import { law } from "./law.ts"

const { array, boolean, constant, constantFrom, integer, nat, oneof, record } = FastCheck

const isFailure = ({ event }: Step): boolean => "outcome" in event && event.outcome._tag === "Failure"

const hintOf = (event: CircuitBreaker.Event): Duration.Duration | undefined => {
  if (event._tag === "Trip") return event.retryAfter
  return "outcome" in event && event.outcome._tag === "Failure" ? event.outcome.retryAfter : undefined
}

/** Whose successes remain. */
const lasting = ops.map((ops) => ops.filter(({ _tag }) => _tag !== "Retract"))

const isSlow = ({ trip }: CircuitBreaker.Config, took: number): boolean =>
  trip.some((trigger) => trigger._tag === "Slow" && took > Duration.toMillis(trigger.after))

describe("CircuitBreaker.step", () => {
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
        neutral + after.probes.length + after.successes.length + after.failures,
        JSON.stringify(decision)
      )
    }
  })

  law(
    "L9: a probe takes and gives back its own place and its own success, and nobody else's",
    [configs, ops],
    (config, ops) => {
      const places = new Map<number, number>()
      const successes = new Set<number>()
      for (const { after, before, decision, event } of play(config, ops)) {
        if (before.epoch !== after.epoch) {
          places.clear()
          successes.clear()
        }
        if (after._tag !== "HalfOpen") continue
        for (const [id, until] of places) if (until <= event.now) places.delete(id)
        if (event._tag === "Retract" && event.epoch === after.epoch) successes.delete(event.id)
        if (event._tag === "Report" && event.permit.epoch === after.epoch) {
          const { at, id } = event.permit
          const good = event.outcome._tag === "Success" && !isSlow(config, event.now - at)
          if (places.delete(id) && good) successes.add(id)
        }
        if (decision.permit !== undefined && decision.permit.id > 0) {
          places.set(decision.permit.id, event.now + Duration.toMillis(config.lease))
        }
        // One whose lease is over stands there until it matters.
        const underWay = after.probes.filter(({ until }) => until > event.now)
        assert.deepStrictEqual(
          [...places.keys()],
          underWay.map(({ id }) => id)
        )
        assert.deepStrictEqual([...successes], after.successes)
      }
    }
  )

  law("L10: it is the model, in every state and every answer", [configs, ops], (config, ops) =>
    compare(config, play(config, ops))
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
        if (before._tag === "HalfOpen" && isFailure(step)) assert.notStrictEqual(after._tag, "Closed")
        if (event._tag !== "Report") continue
        const fast = event.outcome._tag === "Success" && !isSlow(config, event.now - event.permit.at)
        if (before._tag === "Closed" && fast) assert.strictEqual(after._tag, "Closed")
      }
    }
  )

  law(
    "L16: what opens it is a failure that makes enough of the calls in sight failures, and nothing less",
    [configsOf(oneof(triggers.consecutive, triggers.rate), 1), lasting],
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
      for (const { after, before, decision, event } of play(config, ops)) {
        if (event._tag === "Trip" && before._tag === "Open" && after._tag === "Open") {
          assert.strictEqual(after.consecutiveOpenings, ++openings)
          assert.isAtLeast(after.until, Math.max(before.until, event.now + planned(openings) - 1e-6))
        }
        for (const { at, consecutiveOpenings, from, reason, retryAfter, to } of decision.changes) {
          if (to === "Closed" && reason !== "recovered") openings = 0
          if (to === "Closed") closedAt = at
          if (retryAfter === undefined || consecutiveOpenings === undefined) continue
          openings = from === "Closed" && at - closedAt >= resetAfter ? 1 : openings + 1
          assert.strictEqual(consecutiveOpenings, openings)
          const asked = reason === "lease" ? undefined : hintOf(event)
          const hint = Math.min(maxOpenFor, Duration.toMillis(asked ?? 0))
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
      ["consecutive", "rate", "slow", "pushback", "probe", "lease", "tripped", "elapsed", "recovered"],
      ["isolated", "released", "reset"]
    )
  )
})
