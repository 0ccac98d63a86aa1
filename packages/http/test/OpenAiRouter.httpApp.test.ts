import { HttpApp, HttpRouter } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Stream } from "effect"
import { Callers, OpenAiRouter } from "../src/index.ts"
import { reading } from "../src/internal/bytes/bytes.ts"

const bytes = (text: string) => new TextEncoder().encode(text)

const alone = (handler: OpenAiRouter.Handler) => {
  const handle = HttpApp.toWebHandler(OpenAiRouter.toHttpApp(handler))
  return (path: string, init?: RequestInit) => handle(new Request(`http://localhost${path}`, init))
}

type Answer = Effect.Effect<OpenAiRouter.Response, never, never>

/** What a client of a web server gets where a handler of ours is mounted. */
const mounted = (handler: OpenAiRouter.Handler, options?: { readonly maxBody?: number }) => {
  const handle = HttpApp.toWebHandler(
    HttpRouter.empty.pipe(HttpRouter.mountApp("/ai", OpenAiRouter.toHttpApp(handler, options)), Effect.orDie)
  )
  return (path: string, init?: RequestInit & { readonly duplex?: "half" }) =>
    handle(new Request(`http://localhost/ai${path}`, init))
}

const responds = (body: OpenAiRouter.Response["body"]): Answer =>
  Effect.succeed({ status: 200, headers: { "content-type": "text/event-stream", "x-request-id": "r" }, body })

/** Reads what was sent, and says what became of it. */
const echo: OpenAiRouter.Handler = ({ body, headers, method, path }) =>
  Effect.match(body, {
    onFailure: ({ message }) => ({ status: 413, headers: {}, body: bytes(message) }),
    onSuccess: (body) => ({
      status: 200,
      headers: { "content-type": "text/plain" },
      body: bytes(`${method} ${path} ${headers["x-say"]} ${new TextDecoder().decode(body)}`)
    })
  })

describe("OpenAiRouter.toHttpApp", () => {
  it("gives the handler the request as it stands below the path", async () => {
    const response = await mounted(echo)("/v1/chat/completions?a=b", {
      method: "POST",
      body: '{"big":9007199254740993}',
      headers: { "X-Say": "hi" }
    })
    assert.strictEqual(response.headers.get("content-type"), "text/plain")
    assert.strictEqual(await response.text(), 'POST /v1/chat/completions?a=b hi {"big":9007199254740993}')
  })

  it("a request without a body has an empty one", async () => {
    const response = await mounted(echo)("/v1/models", { headers: { "x-say": "hi" } })
    assert.strictEqual(await response.text(), "GET /v1/models hi ")
  })

  it("refuses a body that is too large, said to be so or not", async () => {
    const ask = mounted(echo, { maxBody: 10 })
    const said = await ask("/", { method: "POST", body: "0123456789a", headers: { "content-length": "11" } })
    assert.deepStrictEqual([said.status, await said.text()], [413, "the body is larger than 10 bytes"])
    let pulls = 0
    const endless = new ReadableStream({
      pull: (controller) => {
        pulls++
        controller.enqueue(bytes("0123"))
      }
    })
    const found = await ask("/", { method: "POST", body: endless, duplex: "half" })
    assert.deepStrictEqual([found.status, pulls < 10], [413, true])
    const fits = await ask("/", { method: "POST", body: "0123456789" })
    assert.strictEqual(fits.status, 200)
  })

  it("streams, and keeps the scope open until the end", async () => {
    const happened: Array<string> = []
    const stream = Stream.make("data: 1\n\n", "data: 2\n\n").pipe(
      Stream.map(bytes),
      Stream.tap(() => Effect.sync(() => happened.push("element")))
    )
    const response = await mounted(() =>
      Effect.zipRight(
        Effect.addFinalizer(() => Effect.sync(() => happened.push("closed"))),
        Effect.flatMap(reading(stream), responds)
      )
    )("/")
    assert.notInclude(happened, "closed")
    assert.strictEqual(response.headers.get("content-type"), "text/event-stream")
    assert.strictEqual(response.headers.get("x-request-id"), "r")
    assert.strictEqual(await response.text(), "data: 1\n\ndata: 2\n\n")
    assert.deepStrictEqual(happened, ["element", "element", "closed"])
  })

  it("a client that stops reading closes the scope", async () => {
    const closed = Deferred.unsafeMake<void>(Effect.runSync(Effect.fiberId))
    const response = await mounted(() =>
      Effect.zipRight(
        Effect.addFinalizer(() => Deferred.succeed(closed, undefined)),
        Effect.flatMap(reading(Stream.concat(Stream.make(bytes("data: 1\n\n")), Stream.never)), responds)
      )
    )("/")
    const reader = response.body?.getReader()
    await reader?.read()
    await reader?.cancel()
    await Effect.runPromise(Deferred.await(closed))
  })

  it("a client that leaves before the answer interrupts the handler, mounted or all there is", async () => {
    for (const serve of [mounted, alone]) {
      const interrupted = Deferred.unsafeMake<void>(Effect.runSync(Effect.fiberId))
      const leaving = new AbortController()
      void serve(() => Effect.onInterrupt(Effect.never, () => Deferred.succeed(interrupted, undefined)))(
        "/",
        { signal: leaving.signal }
      )
      leaving.abort()
      await Effect.runPromise(Deferred.await(interrupted))
    }
  })

  it("an answer of the router's comes as it is", async () => {
    const router = OpenAiRouter.make({ routes: [], callers: Callers.anyone })
    const response = await mounted(router)("/v1/chat/completions", { method: "POST", body: '{"model":"x"}' })
    assert.strictEqual(response.status, 404)
    assert.strictEqual(response.headers.get("content-type"), "application/json")
    assert.match(response.headers.get("x-request-id") ?? "", /^req_/)
    assert.nestedPropertyVal(await response.json(), "error.code", "model_not_found")
  })
})
