import { assert, describe, it } from "@effect/vitest"
import { Script, Simulation } from "@understudy/core/testing"
import { ProviderError } from "@understudy/http"
import { Duration } from "effect"

describe("failures of a script", () => {
  it("are kinds of the gateway's, and judged as it judges them", () => {
    for (const name of Script.kinds) {
      const kind = ProviderError.kinds.find((each) => each === name)
      assert(kind !== undefined, name)
      for (const retryAfter of [undefined, Duration.seconds(3)]) {
        assert.deepStrictEqual(
          Simulation.classify(new Simulation.Refused({ kind, retryAfter })),
          ProviderError.outcome(ProviderError.make({ kind, retryAfter }))
        )
      }
    }
  })
})
