import { assert, describe, it } from "@effect/vitest"
import { Duration, Either } from "effect"
import { Draws } from "../../src/internal/testing/draws.ts"
import { type Facing, fateOf } from "../../src/internal/testing/fate.ts"
import { Script } from "../../src/testing/index.ts"

const quiet: Facing = { now: 0, underWay: 0, inWindow: 0, before: 0 }

/** What becomes of a call of this upstream at a time. */
const fate = (
  upstream: object,
  events: ReadonlyArray<Script.EventFile> = [],
  facing: Partial<Facing> = {}
) => {
  const script = Either.getOrThrow(Script.decode({ upstreams: { a: upstream }, events }))
  const { after, fails, retryAfter } = fateOf(
    script.upstreams["a"]!,
    script.events,
    { ...quiet, ...facing },
    new Draws(1, 1)
  )
  return [fails, after, retryAfter && Duration.toMillis(retryAfter)]
}

describe("the fate of a call", () => {
  it("is an answer in its time where nothing is the matter", () => {
    assert.deepStrictEqual(fate({ latency: "300ms" }), [undefined, 300, undefined])
  })

  it("is what the events make of it that are under way, together", () => {
    const events = [
      { at: "0s", for: "10s", latency: "2s" },
      { at: "5s", for: "10s", slower: 3 },
      { at: "8s", slower: 2 }
    ]
    const after = (now: number) => fate({ latency: "300ms" }, events, { now })[1]
    assert.deepStrictEqual([0, 5_000, 8_000, 10_000, 15_000].map(after), [2_000, 6_000, 12_000, 1_800, 600])
  })

  it("is a failure of an event before one of its own", () => {
    const own = { failures: { overloaded: 1 } }
    const event = { at: "0s", for: "1s", failures: { auth: { share: 1, after: "20ms", retryAfter: "3s" } } }
    assert.deepStrictEqual(fate(own, [event]), ["auth", 20, 3_000])
    assert.deepStrictEqual(fate(own, [event], { now: 1_000 }), ["overloaded", 50, undefined])
    assert.deepStrictEqual(fate({ failures: { hang: 1 } })[1], Number.POSITIVE_INFINITY)
  })

  it("suffers from those under way beyond the capacity that is left", () => {
    const upstream = { latency: "1s", capacity: { calls: 10, refuseAbove: 20 } }
    const half = [{ at: "0s", capacity: 0.5 }]
    const of = (underWay: number, events: ReadonlyArray<Script.EventFile> = []) =>
      fate(upstream, events, { underWay }).slice(0, 2)
    assert.deepStrictEqual(of(9), [undefined, 1_000])
    assert.deepStrictEqual(of(19), [undefined, 2_000])
    assert.deepStrictEqual(of(20), ["overloaded", 50])
    assert.deepStrictEqual(of(9, half), [undefined, 2_000])
    assert.deepStrictEqual(of(10, half), ["overloaded", 50])
  })

  it("is a refusal beyond the limit that is left, until its stretch of time is over", () => {
    const upstream = { limit: { calls: 4, per: "10s" } }
    const of = (inWindow: number, events: ReadonlyArray<Script.EventFile> = []) =>
      fate(upstream, events, { inWindow, now: 13_000 })
    assert.deepStrictEqual(of(3), [undefined, 1_000, undefined])
    assert.deepStrictEqual(of(4), ["rate_limited", 50, 7_000])
    assert.deepStrictEqual(of(2, [{ at: "0s", capacity: 0.5 }]), ["rate_limited", 50, 7_000])
  })

  it("is the turn of a call that is the next, and from the beginning again", () => {
    const calls = ["ok", { fails: "auth", times: 2, after: "1ms" }, { after: "9s" }]
    const of = (before: number) => fate({ calls }, [], { before }).slice(0, 2)
    assert.deepStrictEqual([0, 1, 2, 3, 4].map(of), [
      [undefined, 1_000],
      ["auth", 1],
      ["auth", 1],
      [undefined, 9_000],
      [undefined, 1_000]
    ])
  })

  it("is flapping from an event's beginning on", () => {
    const event = { at: "3s", for: "25s", every: "10s", down: "2s", slower: 2 }
    const active = Array.from({ length: 40 }, (_, second) => second).filter(
      (second) => fate({ latency: "1s" }, [event], { now: second * 1_000 })[1] === 2_000
    )
    assert.deepStrictEqual(active, [3, 4, 13, 14, 23, 24])
  })
})
