import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Stream } from "effect"
import { FallbackStream, Outcome } from "../src/index.ts"
import { breaking, broken, busy, client, stage, transcript } from "./resuming.ts"
import { Refused } from "./scripted.ts"

describe("a stream that breaks off, and a tier below that can go on", () => {
  it.effect("goes on with what that tier says, once what went before is closed", () =>
    Effect.gen(function* () {
      const { going, log, tier } = stage()
      const run = tier("a", breaking("", "Hel", "lo")).pipe(
        FallbackStream.orElse(going("b", () => Stream.make("", " there")))
      )
      const { exit, seen, told } = yield* client(run)
      assert.deepStrictEqual(exit, Exit.void)
      assert.deepStrictEqual(seen, ["", "Hel", "lo", "", " there"])
      assert.deepStrictEqual(log, ["open a", "close a", "open b after Hello", "close b after Hello"])
      assert.deepStrictEqual(told, [
        "a 1 broken nextTier",
        "b 1 success",
        "run success by b, a fallback: whole, 2"
      ])
    })
  )

  it.effect("may break off again: the next one goes on from all that was given", () =>
    Effect.gen(function* () {
      const { going, log, tier } = stage()
      const run = tier("a", breaking("one ")).pipe(
        FallbackStream.orElse(going("b", () => breaking("two "))),
        FallbackStream.orElse(going("c", () => Stream.make("three")))
      )
      const { exit, seen, told } = yield* client(run)
      assert.deepStrictEqual([exit, seen.join("")], [Exit.void, "one two three"])
      assert.deepStrictEqual(log.slice(2), [
        "open b after one ",
        "close b after one ",
        "open c after one two ",
        "close c after one two "
      ])
      assert.deepStrictEqual(told.at(-1), "run success by c, a fallback: whole, 3")
    })
  )

  it.effect("is no content of anybody's where the tier fails before its first", () =>
    Effect.gen(function* () {
      const { going, tier } = stage()
      const run = tier("a", breaking("Hel")).pipe(
        FallbackStream.orElse(going("b", () => Stream.concat(Stream.make("", ""), Stream.fail(busy)))),
        FallbackStream.orElse(going("c", () => Stream.make("lo")))
      )
      const { seen, told } = yield* client(run)
      assert.deepStrictEqual(seen, ["Hel", "lo"])
      assert.deepStrictEqual(told.slice(0, 3), ["a 1 broken nextTier", "b 1 busy nextTier", "c 1 success"])
    })
  )

  it.effect("fails as it broke off where none of them does, and the run with it", () =>
    Effect.gen(function* () {
      const { going, tier } = stage()
      const run = tier("a", breaking("Hel")).pipe(FallbackStream.orElse(going("b", () => Stream.fail(busy))))
      const { exit, seen, told } = yield* client(run)
      assert.deepStrictEqual([exit, seen], [Exit.fail(broken), ["Hel"]])
      assert.deepStrictEqual(told, [
        "a 1 broken nextTier",
        "b 1 busy nextTier",
        "run failure by a: broken, 2"
      ])
    })
  )

  it.effect("and as the tier that went on did where that breaks off in the end", () =>
    Effect.gen(function* () {
      const { going, tier } = stage()
      const late = new Refused({ outcome: Outcome.failure({ errorType: "late" }) })
      const run = tier("a", breaking("Hel")).pipe(
        FallbackStream.orElse(going("b", () => Stream.concat(Stream.make("lo"), Stream.fail(late)))),
        FallbackStream.orElse(going("c", () => Stream.fail(busy)))
      )
      const { exit, seen, told } = yield* client(run)
      assert.deepStrictEqual([exit, seen], [Exit.fail(late), ["Hel", "lo"]])
      assert.deepStrictEqual(told.at(-1), "run failure by b, a fallback: late, 3")
    })
  )

  it.effect("an outcome that aborts asks nobody else, and is not the caller's mistake", () =>
    Effect.gen(function* () {
      const { going, log, tier } = stage()
      const refuses = new Refused({ outcome: Outcome.ignored({ errorType: "invalid_request" }) })
      const run = tier("a", breaking("Hel")).pipe(
        FallbackStream.orElse(going("b", () => Stream.fail(refuses))),
        FallbackStream.orElse(going("c", () => Stream.make("lo")))
      )
      const { exit, told } = yield* client(run)
      assert.deepStrictEqual(exit, Exit.fail(broken))
      assert.notInclude(log.join(), "open c")
      assert.strictEqual(told.at(-1), "run failure by a: broken, 2")
    })
  )

  it.effect("a tier that interrupts itself has not interrupted the caller", () =>
    Effect.gen(function* () {
      const { going, tier } = stage()
      const run = tier("a", breaking("Hel")).pipe(
        FallbackStream.orElse(going("b", () => Stream.fromEffect(Effect.interrupt)))
      )
      assert.deepStrictEqual((yield* client(run)).exit, Exit.fail(broken))
    })
  )
})

describe("who goes on", () => {
  const never = {
    "a failure that aborts": new Refused({ outcome: Outcome.failure({ next: "abort" }) }),
    "one that is ignored": new Refused({ outcome: Outcome.ignored({ next: "nextTier" }) }),
    "a defect": Effect.die("bug"),
    "an interruption": Effect.interrupt
  }
  for (const [name, end] of Object.entries(never)) {
    it.effect(`${name}: nobody`, () =>
      Effect.gen(function* () {
        const { going, log, tier } = stage()
        const stream = Stream.concat(Stream.make("Hel"), Stream.fromEffect(end))
        const { exit } = yield* client(
          FallbackStream.orElse(
            tier("a", stream),
            going("b", () => Stream.make("lo"))
          )
        )
        assert.isTrue(Exit.isFailure(exit))
        assert.deepStrictEqual(log, ["open a", "close a"])
      })
    )
  }

  it.effect("of the tiers below those that can, never one above", () =>
    Effect.gen(function* () {
      const { going, log, tier } = stage()
      const above = going("above", () => Stream.make("wrong"), { stream: Stream.fail(busy) })
      const run = above.pipe(
        FallbackStream.orElse(tier("a", breaking("Hel"))),
        FallbackStream.orElse(tier("b", Stream.make("wrong"))),
        FallbackStream.orElse(going("c", () => Stream.make("lo")))
      )
      assert.deepStrictEqual((yield* client(run)).seen, ["Hel", "lo"])
      assert.deepStrictEqual(log.slice(2), ["open c after Hel", "close c after Hel"])
    })
  )

  it.effect("only with what its own transcript has kept, and from where it says that one can", () =>
    Effect.gen(function* () {
      const { going, log, tier } = stage()
      const none = tier("a", breaking("Hel"), { transcript: undefined })
      const other = tier("a", breaking("Hel"), { transcript: { ...transcript } })
      const short = {
        empty: "",
        add: (sent: string, text: string) => (sent.length + text.length > 3 ? undefined : sent + text)
      }
      for (const first of [none, other, tier("a", breaking("Hel", "lo"), { transcript: short })]) {
        const { exit } = yield* client(
          FallbackStream.orElse(
            first,
            going("b", () => Stream.make("!"), { transcript: short })
          )
        )
        assert.deepStrictEqual(exit, Exit.fail(broken))
      }
      const { exit } = yield* client(
        FallbackStream.orElse(
          tier("a", breaking("Hel"), { transcript: short }),
          going("b", () => Stream.make("!"), { transcript: short })
        )
      )
      assert.deepStrictEqual(exit, Exit.void)
      assert.deepStrictEqual(
        log.filter((entry) => entry.startsWith("open b")),
        ["open b after Hel"]
      )
    })
  )

  it.effect("what is kept is kept only where somebody below could go on", () =>
    Effect.gen(function* () {
      const { going, tier } = stage()
      let added = 0
      const counting = {
        empty: "",
        add: (sent: string, text: string) => {
          added++
          return sent + text
        }
      }
      const last = going("b", () => Stream.make("lo", "!"), { transcript: counting })
      yield* client(tier("a", Stream.make("Hel"), { transcript: counting }))
      yield* client(FallbackStream.orElse(tier("a", Stream.fail(busy), { transcript: counting }), last))
      yield* client(
        tier("a", Stream.make("Hel"), { transcript: counting }).pipe(
          FallbackStream.orElse(last),
          FallbackStream.atMost(1)
        )
      )
      assert.strictEqual(added, 0)
      yield* client(FallbackStream.orElse(tier("a", breaking("Hel"), { transcript: counting }), last))
      assert.strictEqual(added, 1)
    })
  )

  it.effect("no more tiers than may start, in the run and in each part of it", () =>
    Effect.gen(function* () {
      const ladder = (bound: number, inner: number) => {
        const { going, log, tier } = stage()
        const part = tier("a", Stream.fail(busy)).pipe(
          FallbackStream.orElse(tier("b", breaking("Hel"))),
          FallbackStream.orElse(going("c", () => Stream.fail(busy))),
          FallbackStream.orElse(going("d", () => Stream.fail(busy))),
          FallbackStream.atMost(inner)
        )
        const run = part.pipe(
          FallbackStream.orElse(going("e", () => Stream.make("lo"))),
          FallbackStream.atMost(bound)
        )
        return Effect.as(client(run), log)
      }
      const asked = (log: ReadonlyArray<string>) =>
        log.flatMap((entry) => (entry.startsWith("open") ? entry.charAt(5) : [])).join("")
      assert.strictEqual(asked(yield* ladder(9, 9)), "abcde")
      assert.strictEqual(asked(yield* ladder(9, 3)), "abce")
      assert.strictEqual(asked(yield* ladder(9, 2)), "abe")
      assert.strictEqual(asked(yield* ladder(3, 9)), "abc")
      assert.strictEqual(asked(yield* ladder(2, 9)), "ab")
    })
  )
})
