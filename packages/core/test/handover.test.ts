import { assert, it } from "@effect/vitest"
import { Chunk, Effect, Option } from "effect"
import { Handover } from "../src/internal/run/handover.ts"

it.effect("whoever waits for room that has been made in the meantime does not wait", () =>
  Effect.gen(function* () {
    const handover = new Handover<number, never>()
    assert.isFalse(handover.give(Chunk.range(1, 16), true))
    assert.strictEqual(Chunk.size(yield* handover.take), 16)
    assert.isTrue(Option.isSome(yield* Effect.timeoutOption(handover.room, "1 second")))
  })
)
