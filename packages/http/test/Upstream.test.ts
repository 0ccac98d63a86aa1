import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer } from "effect"
import * as Upstream from "../src/Upstream.ts"

const bytes = (text: string) => new TextEncoder().encode(text)

const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes)

/** The port over a `fetch` of the test's own. */
const over = (fetch: typeof globalThis.fetch) =>
  Effect.provide(
    Upstream.Upstream,
    Upstream.layerHttpClient.pipe(
      Layer.provide(FetchHttpClient.layer),
      Layer.provide(Layer.succeed(FetchHttpClient.Fetch, fetch)),
      Layer.provide(Layer.succeed(FetchHttpClient.RequestInit, { redirect: "manual" }))
    )
  )

const request: Upstream.Request = {
  method: "POST",
  url: "http://upstream.example/v1/chat/completions?api-version=1",
  headers: { "content-type": "application/json", "x-mine": "1" },
  body: bytes('{"seed":9007199254740993}')
}

describe("Upstream.transportError", () => {
  const tls = ["CERT_HAS_EXPIRED", "ERR_TLS_CERT_ALTNAME_INVALID", "DEPTH_ZERO_SELF_SIGNED_CERT"]
  const also = [
    "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    "ERR_SSL_WRONG_VERSION_NUMBER",
    "SELF_SIGNED_CERT_IN_CHAIN"
  ]
  for (const code of [...tls, ...also]) {
    it(`${code} is a matter of TLS`, () => {
      assert.deepStrictEqual({ ...Upstream.transportError({ code }) }.reason, "tls")
    })
  }

  for (const code of ["ECONNREFUSED", "ECONNRESET", "ENOTFOUND", "EAI_AGAIN", "UND_ERR_SOCKET", "EPIPE"]) {
    it(`${code} is one of the connection`, () => {
      const error = Upstream.transportError(new Error("private.host:443", { cause: { code } }))
      assert.deepStrictEqual([error.reason, error.code], ["connection", code])
      assert.strictEqual(error.message, `the connection failed (${code})`)
    })
  }

  it("takes the innermost code, and nothing that is not one", () => {
    const inner = { code: "ECONNRESET" }
    assert.strictEqual(Upstream.transportError({ code: "UND_ERR_SOCKET", cause: inner }).code, "ECONNRESET")
    for (const thrown of [
      undefined,
      null,
      "ECONNRESET",
      7,
      {},
      { code: 7 },
      { code: "sk-secret at 10.0.0.1" }
    ]) {
      assert.deepStrictEqual(
        [Upstream.transportError(thrown).code, Upstream.transportError(thrown).message],
        [undefined, "the connection failed"]
      )
    }
  })

  it("ends on causes that go round in a circle", () => {
    const circle: { cause?: unknown } = {}
    circle.cause = circle
    assert.strictEqual(Upstream.transportError(circle).code, undefined)
  })
})

describe("Upstream.layerHttpClient", () => {
  it.scoped("sends what it is given, without traces of ours, and gives back what comes", () =>
    Effect.gen(function* () {
      let seen: Request | undefined
      const { send } = yield* over(async (input, init) => {
        seen = new Request(input, init)
        return new Response("not here", { status: 404, headers: { "X-A": "1" } })
      })
      const { headers, read, status } = yield* Effect.withSpan(send(request), "parent")
      assert.deepStrictEqual(
        [status, headers["x-a"], text(yield* Upstream.whole({ read }))],
        [404, "1", "not here"]
      )
      assert.strictEqual(seen?.url, request.url)
      assert.strictEqual(seen?.redirect, "manual")
      assert.strictEqual(yield* Effect.promise(() => seen!.text()), '{"seed":9007199254740993}')
      const names = [...(seen?.headers.keys() ?? [])]
      assert.includeMembers(names, ["content-type", "x-mine"])
      assert.notIncludeMembers(names, ["traceparent", "b3"])
      assert.notInclude(names, "traceparent")
    })
  )

  it.scoped("a status that the client takes for an error is an answer like any other", () =>
    Effect.gen(function* () {
      const busy = HttpClient.make((request) =>
        Effect.succeed(HttpClientResponse.fromWeb(request, new Response("busy", { status: 429 })))
      )
      const { send } = yield* Effect.provide(
        Upstream.Upstream,
        Layer.provide(
          Upstream.layerHttpClient,
          Layer.succeed(HttpClient.HttpClient, HttpClient.filterStatusOk(busy))
        )
      )
      const { read, status } = yield* send(request)
      assert.deepStrictEqual([status, text(yield* Upstream.whole({ read }))], [429, "busy"])
    })
  )

  it.scoped("a fetch that fails is a failed connection", () =>
    Effect.gen(function* () {
      const { send } = yield* over(() =>
        Promise.reject(new TypeError("fetch failed", { cause: { code: "ENOTFOUND" } }))
      )
      const error = yield* Effect.flip(send(request))
      assert.deepStrictEqual(
        [error._tag, error.reason, error.code],
        ["TransportError", "connection", "ENOTFOUND"]
      )
    })
  )

  it.scoped("so is a body that breaks", () =>
    Effect.gen(function* () {
      const { send } = yield* over(async () => {
        let sent = false
        return new Response(
          new ReadableStream({
            pull: (controller) => {
              if (sent) return controller.error({ code: "ECONNRESET" })
              sent = true
              controller.enqueue(bytes("half"))
            }
          })
        )
      })
      const { read } = yield* send(request)
      const half = yield* read
      const error = yield* Effect.flip(read)
      assert.deepStrictEqual([text(half), error.code], ["half", "ECONNRESET"])
    })
  )

  it.live("interruption and the end of the scope abort the fetch", () =>
    Effect.gen(function* () {
      const signals: Array<AbortSignal> = []
      const { send } = yield* over((_, init) => {
        signals.push(init!.signal as AbortSignal)
        return signals.length === 1
          ? new Promise(() => {})
          : Promise.resolve(new Response(new ReadableStream({ pull: () => new Promise(() => {}) })))
      })
      const fiber = yield* Effect.fork(Effect.scoped(send(request)))
      while (signals.length === 0) yield* Effect.sleep("1 millis")
      assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(fiber)))
      assert.isTrue(signals[0]?.aborted)
      // The body is left unread, as that of an error is.
      yield* Effect.scoped(send(request))
      assert.isTrue(signals[1]?.aborted)
    })
  )
})
