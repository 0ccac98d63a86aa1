import { assert, describe, it } from "@effect/vitest"
import { Chunk, Effect, Stream } from "effect"
import { Attempt, FallbackStream } from "../src/index.ts"
import { recorded, timed } from "./scripted.ts"

/** The elements of a chunk, which come together so many milliseconds after those before. */
type Piece = readonly [after: number, ...said: ReadonlyArray<string>]

/** What is heard of how a stream of these comes, all but `-` being content, and what else is done at each of them. */
const pace = (pieces: ReadonlyArray<Piece>, also: Effect.Effect<void> = Effect.void) => {
  const stream = Stream.fromIterable(pieces).pipe(
    Stream.mapEffect(([after, ...said]) => Effect.delay(Effect.succeed(Chunk.fromIterable(said)), after)),
    Stream.flattenChunks
  )
  const tier = FallbackStream.tier({ name: "a", stream, isContent: (said) => said !== "-" })
  const { effect, events } = recorded(Stream.runForEach(tier, () => also))
  return Effect.map(timed(Effect.exit(effect)), () =>
    events.flatMap((event) => {
      if (event._tag !== "AttemptEnded" || event.attempt.pace === undefined) return []
      const { counts, seconds } = event.attempt.pace
      const longest = [...Attempt.paceBounds, Number.POSITIVE_INFINITY]
      return [
        {
          seconds,
          counts: counts.flatMap((count, bucket) => (count === 0 ? [] : [[longest[bucket], count]]))
        }
      ]
    })
  )
}

describe("the pace of a stream", () => {
  it.effect("is how long each piece after the first one takes, by the bound that it does not exceed", () =>
    Effect.gen(function* () {
      const after = [5_000, 10, 11, 20, 640, 81_920, 81_921]
      assert.deepStrictEqual(yield* pace(after.map((after) => [after, "a"])), [
        {
          seconds: (10 + 11 + 20 + 640 + 81_920 + 81_921) / 1000,
          counts: [
            [0.01, 1],
            [0.02, 2],
            [0.64, 1],
            [81.92, 1],
            [Number.POSITIVE_INFINITY, 1]
          ]
        }
      ])
    })
  )

  it.effect(
    "is that of content: what comes between is part of the wait, and what comes together came at once",
    () =>
      Effect.gen(function* () {
        const heard = yield* pace([
          [100, "-"],
          [100, "a", "b"],
          [300, "-"],
          [300, "c", "-", "d"]
        ])
        assert.deepStrictEqual(heard, [
          {
            seconds: 0.6,
            counts: [
              [0.01, 2],
              [0.64, 1]
            ]
          }
        ])
      })
  )

  it.effect("is the stream's, however slowly its caller takes it", () =>
    Effect.gen(function* () {
      const slow = Array.from({ length: 100 }, (): Piece => [10, "a"])
      assert.deepStrictEqual(yield* pace(slow, Effect.sleep("1 second")), [
        { seconds: 0.99, counts: [[0.01, 99]] }
      ])
    })
  )

  it.effect("is none before the first content", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* pace([[100, "-"]]), [])
      assert.deepStrictEqual(yield* pace([[100, "a"]]), [{ seconds: 0, counts: [] }])
    })
  )
})
