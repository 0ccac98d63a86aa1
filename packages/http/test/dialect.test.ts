import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Stream } from "effect"
import * as Dialect from "../src/internal/provider/dialect.ts"
import { type ChatReader, malformed, part } from "../src/internal/stream/chatStream.ts"
import * as ProviderError from "../src/ProviderError.ts"
import { bytes, partsOf, request, scripted, sse } from "./scripted.ts"

const thrown = (): never => {
  throw new RangeError("Maximum call stack size exceeded")
}

const facts = { id: undefined, model: undefined, finishReasons: [], usage: undefined }

/** Takes what says `bad` badly. */
const reader = (): ChatReader => ({
  read: ({ data, raw }) => (data === undefined ? malformed : data === "bad" ? thrown() : part(raw, true)),
  isWhole: () => true,
  hasAll: () => false,
  facts: () => facts
})

/** A provider that is thrown over in these places. */
const provider = (how: { readonly exchange?: () => never; readonly readWhole?: () => never }, body = "") => {
  const up = scripted({ body, headers: sse })
  const exchange: Parameters<typeof Dialect.provider>[1]["exchange"] = () =>
    Effect.sync(
      how.exchange ??
        (() => ({ url: "http://x/v1", body: bytes("{}"), readWhole: how.readWhole ?? thrown, reader }))
    )
  return {
    ...up,
    provider: Dialect.provider(
      { name: "x", system: "x", baseUrl: "http://x/v1", upstream: up.upstream, quirks: {} },
      {
        headers: {},
        exchange,
        embeddings: exchange,
        classify: () => ProviderError.make({ kind: "server_error" })
      }
    )
  }
}

const kindOf = <A>(effect: Effect.Effect<A, ProviderError.ProviderError>) =>
  Effect.map(Effect.flip(effect), ({ kind }) => kind)

describe("what throws", () => {
  it.effect("over a request is nothing that this provider can be asked", () =>
    Effect.gen(function* () {
      const up = provider({ exchange: thrown })
      for (const asked of [
        Effect.scoped(up.provider.complete(request(), "m")),
        Effect.scoped(up.provider.embeddings!(request(), "m")),
        Stream.runDrain(partsOf(up.provider.stream(request(), "m")))
      ]) {
        assert.strictEqual(yield* kindOf(asked), "unsupported")
      }
      assert.strictEqual(up.requests.length, 0)
    })
  )

  it.effect("over a whole answer is none", () =>
    Effect.gen(function* () {
      const { provider: asked } = provider({ readWhole: thrown }, "{}")
      assert.strictEqual(yield* kindOf(Effect.scoped(asked.complete(request(), "m"))), "invalid_answer")
    })
  )

  it.effect("over an event is a malformed one", () =>
    Effect.gen(function* () {
      const { provider: asked } = provider({}, "data: one\n\ndata: bad\n\ndata: two\n\n")
      const { said, span } = yield* Effect.gen(function* () {
        const parts = yield* Stream.runCollect(partsOf(asked.stream(request(), "m")))
        const said = Array.from(parts, ({ bytes }) => new TextDecoder().decode(bytes)).join("")
        return { said, span: yield* Effect.currentSpan }
      }).pipe(Effect.withSpan("attempt"))
      assert.strictEqual(said, "data: one\n\ndata: two\n\ndata: [DONE]\n\n")
      assert.strictEqual(span.attributes.get("understudy.stream.malformed_events"), 1)
    })
  )

  it.effect("is no reason to go on for who has left", () =>
    Effect.gen(function* () {
      const up = scripted({ body: "{}" })
      const interrupted = Dialect.provider(
        { name: "x", system: "x", baseUrl: "http://x/v1", upstream: up.upstream, quirks: {} },
        { headers: {}, exchange: () => Effect.interrupt, classify: thrown }
      )
      const exit = yield* Effect.exit(Effect.scoped(interrupted.complete(request(), "m")))
      assert.isTrue(Exit.isInterrupted(exit))
    })
  )
})
