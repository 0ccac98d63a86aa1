import { assert, describe, it } from "@effect/vitest"
import { Duration, Either, Schema } from "effect"
import { Script } from "../../src/testing/index.ts"

const message = (script: unknown): string => {
  const decoded = Schema.decodeUnknownEither(Script.Script)(script)
  return Either.isLeft(decoded) ? decoded.left.message : "accepted"
}

describe("a script", () => {
  it("fills in what is not said", () => {
    const {
      events,
      for: length,
      load,
      upstreams
    } = Either.getOrThrow(Script.decode({ upstreams: { a: {} } }))
    assert.strictEqual(Duration.toMinutes(length), 10)
    assert.deepStrictEqual(
      [load.rate, load.arrivals, load.client, load.leave],
      [10, "poisson", undefined, undefined]
    )
    assert.deepStrictEqual(events, [])
    assert.deepStrictEqual(upstreams["a"]?.latency, { _tag: "Constant", time: Duration.seconds(1) })
  })

  it("takes turns in words and in full", () => {
    const decoded = Script.decode({
      upstreams: {
        a: { calls: ["ok", "hang", { fails: "overloaded", retryAfter: "2s", times: 3 }, { after: "5s" }] }
      }
    })
    const turns = Either.getOrThrow(decoded).upstreams["a"]?.calls
    assert.deepStrictEqual(
      turns?.map(({ fails, times }) => [fails, times]),
      [
        [undefined, 1],
        ["hang", 1],
        ["overloaded", 3],
        [undefined, 1]
      ]
    )
  })

  it.each([
    [{ evnts: [] }, "is unexpected"],
    [{ upstreams: { a: { failures: { busy: 1 } } } }, "is unexpected"],
    [{ upstreams: { a: { failures: { overloaded: 2 } } } }, "a number from 0 to 1"],
    [{ upstreams: { a: { calls: [] } } }, "is missing"],
    [{ events: [{ at: "1m" }] }, "changes nothing"],
    [{ events: [{ at: "1m", every: "1m", slower: 2 }] }, "go together"],
    [{ events: [{ at: "1m", every: "1m", down: "1m", slower: 2 }] }, "no flapping"],
    [{ load: { rate: 0 } }, "above 0"],
    [{ load: { arrivals: "odd" } }, "poisson"]
  ])("refuses %j", (script, reason) => {
    assert.include(message(script), reason)
  })

  it("knows other kinds where it is told of them, as words and as numbers", () => {
    const decode = Schema.decodeUnknownSync(Script.struct(["503"]))
    const script = decode({ upstreams: { a: { failures: { 503: 0.5 }, calls: [503] } } })
    assert.strictEqual(script.upstreams["a"]?.failures[0]?.kind, "503")
    assert.strictEqual(script.upstreams["a"]?.calls?.[0].fails, "503")
  })
})
