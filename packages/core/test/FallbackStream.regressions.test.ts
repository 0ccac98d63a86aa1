import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Stream } from "effect"
import { FallbackStream } from "../src/index.ts"
import { timed } from "./scripted.ts"

type Source = Stream.Stream<string, string>

/** The empty text is what a provider says before it says anything: a role, a `message_start`. */
const tier = (name: string, stream: Source) =>
  FallbackStream.tier({ name, stream, isContent: (text) => text !== "", firstToken: "5 seconds" })

const breaking = (...said: ReadonlyArray<string>): Source =>
  Stream.concat(Stream.fromIterable(said), Stream.fail("overloaded"))

const standby = (asked: Array<string> = []) =>
  tier(
    "standby",
    Stream.suspend(() => {
      asked.push("standby")
      return Stream.make("", "the ", "whole ", "answer")
    })
  )

/** What came through to the client, and how that ended. */
const client = <E>(stream: Stream.Stream<string, E>) => {
  const seen: Array<string> = []
  const taken = Stream.runForEach(stream, (text) => Effect.sync(() => void seen.push(text)))
  return Effect.map(timed(taken), ({ elapsed, exit }) => ({ elapsed, exit, seen: seen.join("") }))
}

// Each bug of a peer as the test that it would have failed.
describe("what went wrong in others: streams", () => {
  it.effect(
    "caracal#344, WorldScript-Studio#714: the next provider's answer follows the first one's fragment",
    () =>
      Effect.gen(function* () {
        const asked: Array<string> = []
        const run = tier("a", breaking("", "the fragm")).pipe(FallbackStream.orElse(standby(asked)))
        const { exit, seen } = yield* client(run)
        assert.deepStrictEqual([seen, exit, asked], ["the fragm", Exit.fail("overloaded"), []])
      })
  )

  it.effect("litellm#6957: a stream that begins and fails before its first token asks nobody else", () =>
    Effect.gen(function* () {
      const run = tier("a", breaking("", "")).pipe(FallbackStream.orElse(standby()))
      const { elapsed, exit, seen } = yield* client(run)
      assert.deepStrictEqual([seen, exit, elapsed], ["the whole answer", Exit.void, 0])
    })
  )

  it.effect("litellm#40404: nor does one that is cut off, stalls, or dies of a malformed chunk", () =>
    Effect.gen(function* () {
      const malformed = Stream.mapEffect(Stream.make("{"), () => Effect.fail("malformed"))
      const waits = { cut: 0, stalled: 5000, malformed: 0 }
      const sources = {
        cut: Stream.make(""),
        stalled: Stream.concat(Stream.make(""), Stream.never),
        malformed
      }
      for (const name of ["cut", "stalled", "malformed"] as const) {
        const run = tier(name, sources[name]).pipe(FallbackStream.orElse(standby()))
        const { elapsed, exit, seen } = yield* client(run)
        assert.deepStrictEqual([seen, exit, elapsed], ["the whole answer", Exit.void, waits[name]])
      }
    })
  )

  it.effect("litellm#38610: the client is given a beginning although nobody has anything to say", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const run = tier("a", breaking("")).pipe(FallbackStream.orElse(tier("b", breaking("", ""))))
      const error = yield* Effect.flip(Stream.runForEach(run, (text) => Effect.sync(() => seen.push(text))))
      assert(typeof error !== "string" && error._tag === "AllTiersFailed")
      assert.deepStrictEqual([seen, error.attempts.length], [[], 2])
    })
  )

  it.effect("failsafe-go#65, #123: the answer's body is cut off when the policy has done its work", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const noted = (what: string) => Effect.sync(() => log.push(what))
      const tail = Effect.zipRight(Effect.sleep("1 minute"), Effect.as(noted("tail"), "tail"))
      const source = Stream.unwrapScoped(
        Effect.as(
          Effect.acquireRelease(noted("open"), () => noted("close")),
          Stream.concat(Stream.make("head "), Stream.fromEffect(tail))
        )
      )
      const run = FallbackStream.tier({
        name: "a",
        stream: source,
        firstToken: "1 second",
        timeout: "2 seconds"
      }).pipe(FallbackStream.within("3 seconds"))
      const { exit, seen } = yield* client(run)
      assert.deepStrictEqual([seen, exit, log], ["head tail", Exit.void, ["open", "tail", "close"]])
    })
  )
})
