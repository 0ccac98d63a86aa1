import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { vi } from "vitest"
import * as Telemetry from "../src/Telemetry.ts"

// As tsx has it, and every loader that takes `__esModule` at its word.
vi.mock("@opentelemetry/sdk-node", async (original) => ({
  ...(await original<typeof import("@opentelemetry/sdk-node")>()),
  default: undefined
}))

it.live("the SDK is found where its module has no default export", () =>
  Effect.gen(function* () {
    const names: Array<string> = []
    const processor = {
      onStart() {},
      onEnd({ name }: { readonly name: string }) {
        names.push(name)
      },
      async forceFlush() {},
      async shutdown() {}
    }
    yield* Effect.void.pipe(
      Effect.withSpan("checkout"),
      Effect.provide(Telemetry.layer({ spanProcessors: [processor] }))
    )
    assert.deepStrictEqual(names, ["checkout"])
  })
)
