import { assert, describe, it } from "@effect/vitest"
import { Effect, FastCheck } from "effect"
import {
  assertCut,
  assertWhole,
  broken,
  first,
  resumed,
  routeOf,
  second,
  stream,
  told,
  upstream,
  whole
} from "./continuing.ts"

const text = 'The 🎭 show \n"goes" on.'

const cutAt = (text: string, ...positions: ReadonlyArray<number>): ReadonlyArray<string> => {
  const ends = [...positions, text.length].sort((a, b) => a - b)
  return ends.map((end, index) => text.slice(ends[index - 1] ?? 0, end))
}

/** The first tier says this and breaks off; the second says that. */
const restart = (begun: ReadonlyArray<string>, again: ReadonlyArray<string>) =>
  resumed(
    first.says(...begun),
    upstream(whole(second.role, ...second.says(...again), second.stop, second.done)),
    "restart"
  )

describe("continue: restart", () => {
  it.effect("goes on wherever the first one breaks off, however the second one puts it", () =>
    Effect.gen(function* () {
      for (let cut = 1; cut <= text.length; cut++) {
        for (const again of [cutAt(text, cut), cutAt(text, cut - 1, cut + 1), text.split("")]) {
          assertWhole(yield* restart([text.slice(0, cut)], again), text)
        }
      }
    })
  )

  it.effect("goes on from a text that is there twice, whatever the other one is", () =>
    Effect.gen(function* () {
      const twice = (said: string) =>
        said.replace('"content":', '"content":{"toString":1,"valueOf":1},"content":')
      const again = second.says("The show").map(twice)
      assert.include(again[0], "valueOf")
      const got = yield* resumed(
        first.says("The"),
        upstream(whole(second.role, ...again, second.stop, second.done)),
        "restart"
      )
      assertWhole(got, "The show")
    })
  )

  it.effect("says nothing of another answer, whether that differs at once or at last", () =>
    Effect.gen(function* () {
      for (let cut = 1; cut <= text.length; cut++) {
        const begun = text.slice(0, cut)
        for (const at of [0, cut - 1]) {
          const got = yield* restart([begun], [`${text.slice(0, at)}#${text.slice(at + 1)}`])
          assertCut(got, begun, "connection")
        }
      }
    })
  )

  it.effect("says nothing of an answer that ends sooner", () =>
    Effect.gen(function* () {
      for (const again of [["The"], ["The", " "], []]) {
        assertCut(yield* restart(["The 🎭"], again), "The 🎭", "connection")
      }
    })
  )

  it.effect("ends an answer that was complete but for its end", () =>
    Effect.gen(function* () {
      assertWhole(yield* restart([text], [text]), text)
    })
  )

  it.effect(
    "whatever is said, and in whatever pieces: the one answer, or what was sent of it and an error",
    () =>
      Effect.promise(() =>
        FastCheck.assert(
          FastCheck.asyncProperty(
            FastCheck.array(FastCheck.fullUnicodeString({ minLength: 1, maxLength: 6 }), {
              minLength: 1,
              maxLength: 4
            }),
            FastCheck.array(FastCheck.nat(30), { maxLength: 4 }),
            FastCheck.nat(30),
            FastCheck.option(FastCheck.fullUnicodeString({ maxLength: 20 })),
            async (words, cuts, kept, other) => {
              const answer = words.join("")
              const begun = words.slice(0, 1 + (kept % words.length))
              const again = cutAt(other ?? answer, ...cuts.map((cut) => cut % (answer.length + 1)))
              const got = await Effect.runPromise(restart(begun, again))
              const sent = begun.join("")
              if (got.error === undefined) assertWhole(got, other ?? answer)
              else assertCut(got, sent, "connection")
              assert.strictEqual(got.error === undefined, (other ?? answer).startsWith(sent))
            }
          )
        )
      )
  )

  it.effect("asks what the first was asked, and leaves its role, thoughts and comments out", () =>
    Effect.gen(function* () {
      const thinks = second.chunk({ content: "", reasoning_content: "Hm." })
      const standby = upstream(
        whole(
          ": ping\n\n",
          second.role,
          thinks,
          ...second.says("H", "el"),
          thinks,
          ": ping\n\n",
          ...second.says("lo"),
          ": pong\n\n",
          second.stop,
          second.done
        )
      )
      const got = yield* resumed(first.says("Hel"), standby, "restart")
      assertWhole(got, "Hello")
      assert.notInclude(got.sent, "Hm.")
      assert.deepStrictEqual(got.sent.match(/: p.ng/g), [": pong"])
      assert.strictEqual(standby.asked[0], got.primary.asked[0]?.replace("m1", "m2"))
    })
  )

  it.effect("keeps every byte of a chunk but for what it is called and what it has said", () =>
    Effect.gen(function* () {
      const raw = (id: string, content: string) =>
        `data: {"seed":9007199254740993,"id":"${id}","created": 176410700012345678${id.length},"model":"${id}" ,"choices":[ {"index":0,"x":1.0,"delta":{"content":"${content}","a":1e400},"logprobs":{"content":[1]},"finish_reason":null}]}\n\n`
      const primary = upstream(broken(raw("a", "Hel")))
      const standby = upstream(whole(raw("bb", "Hell"), raw("bb", "o\\u0021"), second.stop, second.done))
      const route = yield* routeOf(
        { provider: primary.provider },
        { provider: standby.provider, continue: "restart" }
      )
      const { sent } = yield* stream(route)
      const head = '"id":"a","created":1764107000123456781,"model":"a"'
      const chunk = (content: string, logprobs: string) =>
        `data: {"seed":9007199254740993 ,"choices":[ {"index":0,"x":1.0,"delta":{"content":"${content}","a":1e400},"logprobs":${logprobs},"finish_reason":null}],${head}}\n\n`
      assert.strictEqual(
        sent
          .split("data: ")
          .slice(1, 4)
          .map((data) => `data: ${data}`)
          .join(""),
        raw("a", "Hel") + chunk("l", "null") + chunk("o\\u0021", '{"content":[1]}')
      )
    })
  )

  it.effect("goes on with a call of a tool, if that comes after what was said", () =>
    Effect.gen(function* () {
      const call = second.chunk({
        tool_calls: [{ index: 0, id: "call_1", function: { name: "f", arguments: "{}" } }]
      })
      const standby = upstream(
        whole(second.role, ...second.says("Let me see."), call, second.chunk({}, "tool_calls"), second.done)
      )
      const got = yield* resumed(first.says("Let me see."), standby, "restart")
      assert.deepStrictEqual([got.said, got.ends, got.error], ["Let me see.", ["tool_calls"], undefined])
      assert.include(got.sent, "call_1")
    })
  )

  it.effect("fails the attempt that differs, which no breaker counts, and asks the next tier", () =>
    Effect.gen(function* () {
      const primary = upstream(broken(first.role, ...first.says("Hel")))
      const other = upstream(whole(second.role, ...second.says("Hey!"), second.stop))
      const standby = upstream(whole(second.role, ...second.says("Hello"), second.stop))
      const route = yield* routeOf(
        { provider: primary.provider },
        { provider: other.provider, continue: "restart" },
        { provider: standby.provider, continue: "restart" }
      )
      for (let round = 0; round < 6; round++) {
        const got = yield* stream(route)
        if (round < 5) {
          assertWhole(got, "Hello")
          assert.deepStrictEqual(told(got.events), [
            "tier1 failure connection",
            "tier2 ignored stream_diverged",
            "tier3 success",
            "run success by tier3"
          ])
        } else {
          // The first one's breaker has opened by now, and the second one's has not.
          assert.strictEqual(got.said, "Hey!")
        }
      }
    })
  )
})
