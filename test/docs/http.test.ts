import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Policy } from "@understudy/core"
import { StatusPage } from "@understudy/gateway"
import { Callers, OpenAiRouter, type Provider, Route } from "@understudy/http"
import { Metrics } from "@understudy/otel"
import { Effect, Either, Exit, Scope } from "effect"
import { ask, call, chatBody, exchange, get, type Options } from "../support/caller.ts"
import { eventually } from "../support/eventually.ts"
import { chat, gateway } from "../support/gateway.ts"
import { content, fails, role, silence, stream, wall } from "../support/wall.ts"
import { code, table } from "./guide.ts"

const root = join(import.meta.dirname, "../..")
const guide = readFileSync(join(root, "docs/http.md"), "utf8")

const below = (heading: string, head: string): ReadonlyArray<ReadonlyArray<string>> =>
  table(guide.slice(guide.indexOf(`${heading}\n`)), head)

/** The text of every source below a folder of a package. */
const sources = (folder: string): ReadonlyArray<string> =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => readFileSync(join(root, folder, name), "utf8"))

/** What comes back, whatever server it came from. */
interface Seen {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly text: string
}

const errorOf = ({ text }: Seen) => JSON.parse(text.replace(/^[\s\S]*data: (?=\{"error")/, "")).error

/** An answer as it stands on the wire. */
const parsed = (text: string): Seen => {
  const [head = "", body = ""] = text.split("\r\n\r\n")
  const [line = "", ...fields] = head.split("\r\n")
  return {
    status: Number(line.split(" ")[1]),
    headers: Object.fromEntries(fields.map((field) => field.toLowerCase().split(": "))),
    text: body
  }
}

const one = (options: Options, yaml = "") =>
  Effect.gen(function* () {
    const only = yield* wall
    const { url } = yield* gateway(chat([only.url], { server: `maxBody: 1KiB${yaml}` }))
    return yield* ask(url, options)
  })

const raw = (request: string) =>
  Effect.gen(function* () {
    const { url } = yield* gateway(chat([(yield* wall).url]))
    return parsed(yield* exchange(url, request))
  })

/** What a route comes to whose two tiers, with one attempt each, meet with this. */
const failing = (first: Parameters<typeof fails>, options: Options = {}, times = 1) =>
  Effect.gen(function* () {
    const [a, b] = [yield* wall, yield* wall]
    for (const each of [a, b]) each.script(fails(...first))
    const { url } = yield* gateway(
      chat([a.url, b.url], { tier: "retry: { times: 0 }, breaker: { consecutive: 1 }" })
    )
    for (let n = 1; n < times; n++) yield* ask(url, options)
    return yield* ask(url, options)
  })

const streaming = { body: chatBody({ stream: true }) }

/** What a caller gets whose gateway stops while the upstream is silent, or in the middle of its stream. */
const stopped = (options: Options) =>
  Effect.gen(function* () {
    const only = yield* wall
    only.script(options.body === undefined ? silence : stream([role, content("Hel")], "stall"))
    const scope = yield* Scope.make()
    const { url } = yield* Scope.extend(gateway(chat([only.url])), scope)
    const { answer, text } = yield* call(url, options)
    yield* eventually(() => only.received.length === 1 && (options.body === undefined || text() !== ""))
    yield* Scope.close(scope, Exit.void)
    return yield* answer
  })

/** What a router answers whose only tier dies. */
const dying = Effect.gen(function* () {
  const policy = Either.getOrThrow(Policy.decode({ tiers: [{ name: "only" }] }))
  const bug = Effect.dieMessage("a bug")
  const provider: Provider.Provider = {
    name: "up",
    system: "openai",
    server: undefined,
    complete: () => bug,
    stream: () => bug
  }
  const tiers = [{ ...policy.tiers[0], provider, model: "m" }] as const
  const route = yield* Route.make("chat", { ...policy, tiers })
  const handle = OpenAiRouter.make({ routes: [route], callers: Callers.anyone })
  const { body, headers, status } = yield* handle({
    method: "POST",
    path: "/chat/completions",
    headers: {},
    body: Effect.succeed(new TextEncoder().encode('{"model":"chat"}'))
  })
  assert(body instanceof Uint8Array)
  return { status, headers, text: new TextDecoder().decode(body) }
})

/** How each error comes about, its code first. */
const provoked: ReadonlyArray<readonly [string, Effect.Effect<Seen, unknown, Scope.Scope>]> = [
  ["malformed_request", raw("nonsense\r\n\r\n")],
  ["malformed_request", raw("GET /v1/models HTTP/1.1\r\nconnection: close\r\n\r\n")],
  ["invalid_json", one({ body: "" })],
  ["invalid_json", one({ body: "[]" })],
  ["missing_model", one({ body: { model: 1 } })],
  ["invalid_stream", one({ body: { model: "chat", stream: 1 } })],
  ["unknown_parameter", one({ body: { model: "chat", Model: "other" } })],
  ["invalid_timeout", one({ headers: { "x-understudy-timeout": "soon" } })],
  ["invalid_api_key", one({}, ", apiKeys: [sk-1]")],
  ["invalid_api_key", one({ method: "GET", path: "/status" }, ", apiKeys: [sk-1]")],
  ["forbidden_host", one({ headers: { host: "gateway.example" } })],
  ["forbidden_origin", one({ headers: { origin: "https://evil.example" } })],
  ["not_found", one({ path: "/v1/chat/completions/" })],
  ["model_not_found", one({ body: { model: "gpt-9" } })],
  ["model_not_found", one({ path: "/v1/embeddings" })],
  ["method_not_allowed", one({ method: "OPTIONS" })],
  ["request_too_large", one({ body: " ".repeat(2000) })],
  ["expectation_failed", one({ headers: { expect: "miracles" } })],
  ["headers_too_large", raw(`GET / HTTP/1.1\r\nhost: localhost\r\nx: ${"x".repeat(17_000)}\r\n\r\n`)],
  [
    "overloaded",
    Effect.gen(function* () {
      const only = yield* wall
      only.script(silence)
      const { url } = yield* gateway(chat([only.url], { server: "maxInFlight: 1, maxQueue: 0" }))
      yield* call(url)
      yield* eventually(() => only.received.length === 1)
      return yield* ask(url)
    })
  ],
  ["shutting_down", stopped({})],
  [
    "unsupported_parameter",
    Effect.gen(function* () {
      const { url } = yield* gateway(
        "{ providers: { p: { kind: anthropic, apiKey: k } }, routes: { chat: { tiers: [ { name: t, provider: p, model: m } ] } } }"
      )
      return yield* ask(url, { body: chatBody({ seed: 1 }) })
    })
  ],
  ["rate_limited", failing([429])],
  ["internal_error", dying],
  ["upstream_auth_error", failing([401])],
  ["all_tiers_failed", failing([503])],
  ["all_tiers_failed", failing([503, null, { "retry-after": "7" }])],
  ["all_tiers_open", failing([503], {}, 2)],
  [
    "deadline_exceeded",
    Effect.gen(function* () {
      const only = yield* wall
      only.script(silence)
      const { url } = yield* gateway(chat([only.url]))
      return yield* ask(url, { headers: { "x-understudy-timeout": "20ms" } })
    })
  ],
  [
    "stream_interrupted",
    Effect.gen(function* () {
      const only = yield* wall
      only.script(stream([role, content("Hel")], "reset"))
      const { url } = yield* gateway(chat([only.url]))
      return yield* ask(url, streaming)
    })
  ],
  ["stream_interrupted", stopped(streaming)]
]

/** `[error.code, status]` of every error table; of one in a stream the status that was sent before. */
const listed = [
  ...below("### Before a tier is asked", "`error.code`"),
  ...below("### When no tier answers", "`error.code`"),
  ...below("### In a stream", "`error.code`").map(([name = "", ...rest]) => [name, "200", ...rest])
]

const word = (cell = ""): string => cell.replaceAll("`", "")

const httpsOwn = ["date", "connection", "keep-alive", "content-length", "transfer-encoding"]

const ofAnswers = table(guide.slice(guide.indexOf("## Headers of an answer")), "header").map(([name]) =>
  word(name)
)

const headersOf = ({ headers }: Seen): ReadonlyArray<string> =>
  Object.keys(headers).filter((name) => !httpsOwn.includes(name))

describe("the guide to HTTP", () => {
  it("has every error that there is in the sources, with its status", () => {
    const found = [...sources("packages/http/src"), ...sources("packages/gateway/src")].flatMap((text) => [
      ...[...text.matchAll(/\b(?:refusal|refuse|refuseForNow|ours)\(\s*(\d{3}),\s*"(\w+)"/g)].map(
        ([, status, name]) => [name, status]
      ),
      ...[...text.matchAll(/readonly code: ("\w+"(?: \| "\w+")+)/g)].flatMap(([, names = ""]) =>
        names.split(" | ").map((name) => [name.slice(1, -1), "400"])
      ),
      ...[...text.matchAll(/type: "invalid_request_error", code: "(\w+)"/g)].map(([, name]) => [name, "400"]),
      ...[...text.matchAll(/type: "upstream_error",\s*code: "(\w+)"/g)].map(([, name]) => [name, "200"])
    ])
    assert.sameMembers(
      listed.map(([name, status]) => `${word(name)} ${status}`),
      [...new Set(found.map((pair) => pair.join(" ")))]
    )
  })

  const expected = new Map(
    listed.map(([name, status, again]) => [word(name), { status, again: word(again) }])
  )

  it("has a way to bring about each of them", () =>
    // It takes twenty seconds; a test of the gateway's own sees to it.
    assert.sameMembers([...expected.keys()], ["request_timeout", ...new Set(provoked.map(([name]) => name))]))

  for (const [index, [name, answer]] of provoked.entries()) {
    it.scopedLive(`says what ${name} is, ${index + 1}`, () =>
      Effect.gen(function* () {
        const { again = "", status } = expected.get(name) ?? {}
        const seen = yield* answer
        assert.includeMembers(ofAnswers, [...headersOf(seen)])
        const error = errorOf(seen)
        assert.deepStrictEqual([error.code, String(seen.status)], [name, status])
        if (seen.status === 200) return assert.notInclude(seen.text, "[DONE]")
        const waits = seen.headers["retry-after"] !== undefined
        assert.strictEqual(seen.headers["x-should-retry"], waits ? undefined : "false")
        if (!again.startsWith("no, or")) assert.strictEqual(again, waits ? "retry-after" : "no")
        assert.hasAllKeys(error, [
          "message",
          "type",
          "param",
          "code",
          ...("attempts" in error ? ["attempts"] : [])
        ])
        for (const attempt of error.attempts ?? []) {
          for (const field of Object.keys(attempt)) assert.include(guide, code(field))
        }
      })
    )
  }

  it.scopedLive("has every path, its method and whether it needs a key", () =>
    Effect.gen(function* () {
      const router = readFileSync(join(root, "packages/http/src/OpenAiRouter.ts"), "utf8")
      const routed = [...router.matchAll(/\/\^(.*)\$\/,/g)].map(([, pattern = ""]) =>
        pattern.replace("(?:\\/v1)?", "/v1").replaceAll("\\/", "/").replace("(.+)", "{id}")
      )
      const { pages } = Effect.runSync(
        Effect.flatMap(Metrics.make, (metrics) =>
          StatusPage.make({ draining: Effect.succeed(false), metrics })
        )
      )
      const paths = table(guide, "path")
      assert.sameMembers(
        paths.map(([path]) => word(path)),
        [...routed, ...Object.keys(pages)]
      )

      const only = yield* wall
      const { url } = yield* gateway(chat([only.url], { server: "apiKeys: [sk-1]" }))
      const authorization = { authorization: "Bearer sk-1" }
      for (const [path, method, needsKey] of paths) {
        const at = { path: word(path).replace("{id}", "chat"), method: word(method) }
        const other = { ...at, method: at.method === "GET" ? "POST" : "GET", headers: authorization }
        const { headers, status } = yield* ask(url, other)
        const allow = at.method === "GET" ? "GET, HEAD" : at.method
        assert.deepStrictEqual([status, headers.allow], [405, allow], at.path)
        const without = yield* ask(url, at)
        assert.strictEqual(without.status === 401, needsKey === "yes", at.path)
        const answered = yield* ask(url, { ...at, headers: authorization })
        // The only route makes no embeddings.
        assert.strictEqual(answered.status, at.path.endsWith("embeddings") ? 404 : 200, at.path)
        const bare = yield* ask(url, {
          ...at,
          path: `${at.path.replace("/v1", "")}?a=b`,
          headers: authorization
        })
        assert.strictEqual(bare.status, answered.status, at.path)
      }
    })
  )

  it.scopedLive("has every header of an answer, but for HTTP's own", () =>
    Effect.gen(function* () {
      const { url } = yield* gateway(chat([(yield* wall).url], { server: "apiKeys: [sk-1]" }))
      const headers = { authorization: "Bearer sk-1" }
      const answers: ReadonlyArray<Seen> = [
        yield* ask(url, { headers }),
        yield* ask(url, { ...streaming, headers }),
        yield* ask(url, { method: "GET", headers }),
        yield* get(url, "/"),
        yield* ask(url, { method: "GET", path: "/", headers }),
        yield* failing([429])
      ]
      assert.sameMembers(ofAnswers, [...new Set(answers.flatMap(headersOf))])
    })
  )

  it("has every header of a request that anybody looks at", () => {
    const looked = [
      ...sources("packages/http/src/internal/router"),
      ...[
        "http/src/OpenAiRouter",
        "gateway/src/Server",
        "gateway/src/StatusPage",
        "gateway/src/internal/serving/serving"
      ].map((name) => readFileSync(join(root, `packages/${name}.ts`), "utf8"))
    ].flatMap((text) => [
      ...[...text.matchAll(/\bheaders(?:\["([\w-]+)"\](?! = )|\.(host)\b)/g)].map(
        ([, name, dotted]) => name ?? dotted
      ),
      ...[...text.matchAll(/\{ (\w+) \} = request\.headers/g)].map(([, name]) => name)
    ])
    const ofBodies = ["content-length", "content-type"]
    assert.sameMembers(
      table(guide, "header").map(([name]) => word(name)),
      [...new Set(looked)].filter((name) => !ofBodies.includes(name ?? ""))
    )
  })

  it.effect("says what is answered where the other processes do not", () =>
    Effect.gen(function* () {
      const metrics = yield* Metrics.make
      const { pages } = yield* StatusPage.make({
        draining: Effect.succeed(false),
        metrics,
        peers: () => () => Effect.fail("unanswered")
      })
      for (const page of Object.values(pages)) {
        const { body, headers, status } = yield* page({
          method: "GET",
          path: "/",
          headers: {},
          body: Effect.succeed(new Uint8Array())
        })
        assert(body instanceof Uint8Array)
        assert.deepStrictEqual([status, headers["content-type"]], [503, "text/plain"])
        assert.include(guide, `503 there, \`text/plain\`, \`${new TextDecoder().decode(body).trim()}\``)
      }
      const worker = readFileSync(join(root, "packages/gateway/src/internal/workers/worker.ts"), "utf8")
      assert.include(worker, 'knownWithin = "3 seconds"')
    })
  )

  it.scopedLive("says what the health is", () =>
    Effect.gen(function* () {
      const { url } = yield* gateway(chat([(yield* wall).url]))
      for (const path of ["/health/live", "/health/ready"]) {
        assert.include(guide, code(`${(yield* get(url, path)).text}`))
      }
      const router = readFileSync(join(root, "packages/http/src/OpenAiRouter.ts"), "utf8")
      const reasons = [...router.matchAll(/json\(503, \{ status: "(.*)" \}\)/g)].map(([, reason = ""]) =>
        code(reason)
      )
      assert.lengthOf(reasons, 2)
      for (const reason of reasons) assert.include(guide, reason)
    })
  )
})
