import { getHeapSpaceStatistics } from "node:v8"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Collector from "../src/internal/collector.ts"

/** Bytes that only a whole collection frees. */
const old = () =>
  getHeapSpaceStatistics().find(({ space_name }) => space_name === "old_space")!.space_used_size

const bytes = 2_000

/** A few at a time, each of which waits for something and holds what it will need. */
const turn = (fibers: number): Promise<void> =>
  new Promise((resolve) => {
    let left = fibers
    for (let i = 0; i < fibers; i++) {
      const needed = new Array(bytes / 8).fill(i)
      const waits = Effect.async<void>((resume) => void setImmediate(() => resume(Effect.void)))
      Effect.runFork(Effect.map(waits, () => needed.length)).addObserver(() => --left || resolve())
    }
  })

describe("Collector.tune", () => {
  it("has fibers that are over leave nothing among what is old", async () => {
    Collector.tune()
    const turns = 4_000
    for (let i = 0; i < turns; i++) await turn(8)
    const before = old()
    for (let i = 0; i < turns; i++) await turn(8)
    assert.isBelow(old() - before, (turns * 8 * bytes) / 20)
  })
})
