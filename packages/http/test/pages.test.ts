import { assert, describe, it } from "@effect/vitest"
import { Effect, FastCheck, Redacted } from "effect"
import * as Callers from "../src/Callers.ts"
import { asBearer } from "../src/internal/router/basic.ts"
import * as OpenAiRouter from "../src/OpenAiRouter.ts"

const page = () =>
  Effect.sync(
    (): OpenAiRouter.Response => ({ status: 200, headers: {}, body: new TextEncoder().encode("the page") })
  )

const basic = (credentials: string): string => `Basic ${Buffer.from(credentials).toString("base64")}`

/** Status and challenge of a request with this header. */
const ask = (handler: OpenAiRouter.Handler, path: string, authorization?: string, method = "GET") =>
  Effect.map(
    Effect.scoped(handler({ method, path, headers: { authorization }, body: Effect.die("read") })),
    ({ headers, status }) => [status, headers["www-authenticate"]]
  )

const keyed = Effect.map(Callers.fromKeys([Redacted.make("sk-1")]), (callers) =>
  OpenAiRouter.make({ routes: [], callers, pages: { "/": page, "/a.b": page } })
)

const challenge = 'Basic realm="understudy", charset="UTF-8"'

describe("pages", () => {
  it.effect("ask a browser for the key, and take it as a password or as a bearer", () =>
    Effect.gen(function* () {
      const handler = yield* keyed
      const ok = ["Bearer sk-1", basic(":sk-1"), basic("anyone:sk-1"), basic(":sk-1").replace("B", "b")]
      for (const header of ok)
        assert.deepStrictEqual(yield* ask(handler, "/", header), [200, undefined], header)
      const wrong = [
        undefined,
        "",
        "Basic",
        "Basic ",
        "Basic %%%",
        basic("sk-1"),
        basic("sk-1:"),
        basic(":sk-1:")
      ]
      for (const header of [...wrong, basic("a:b:sk-1"), basic("a: sk-1 x"), "Bearer sk-2", "Digest sk-1"]) {
        assert.deepStrictEqual(yield* ask(handler, "/", header), [401, challenge], header)
      }
    })
  )

  it.effect("a password opens the pages alone, for a browser sends it along on its own", () =>
    Effect.gen(function* () {
      const handler = yield* keyed
      assert.deepStrictEqual(yield* ask(handler, "/v1/models", basic(":sk-1")), [401, undefined])
      assert.deepStrictEqual(yield* ask(handler, "/v1/models", "Bearer sk-1"), [200, undefined])
    })
  )

  it.effect("are at their very paths, and only to be had by GET", () =>
    Effect.gen(function* () {
      const handler = OpenAiRouter.make({ routes: [], callers: Callers.anyone, pages: { "/a.b": page } })
      assert.deepStrictEqual(yield* ask(handler, "/a.b?c=d"), [200, undefined])
      for (const path of ["/", "/a", "/axb", "/a.b/", "/v1/a.b"]) {
        assert.deepStrictEqual(yield* ask(handler, path), [404, undefined], path)
      }
      assert.deepStrictEqual(yield* ask(handler, "/a.b", undefined, "POST"), [405, undefined])
    })
  )

  it("law: of any user name without a colon the password is the bearer's key; no other header is touched", () => {
    const key = FastCheck.stringMatching(/^[!-~]+$/)
    FastCheck.assert(
      FastCheck.property(FastCheck.string(), key, (user, key) => {
        assert.strictEqual(asBearer(basic(`${user.replaceAll(":", "")}:${key}`)), `Bearer ${key}`)
      })
    )
    FastCheck.assert(
      FastCheck.property(FastCheck.string(), (header) => {
        FastCheck.pre(!/^basic +\S/i.test(header))
        assert.strictEqual(asBearer(header), header)
      })
    )
    assert.isUndefined(asBearer(undefined))
  })
})
