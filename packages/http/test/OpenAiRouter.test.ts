import { assert, describe, it } from "@effect/vitest"
import type * as Attempt from "@understudy/core/Attempt"
import * as Backoff from "@understudy/core/Backoff"
import * as Policy from "@understudy/core/Policy"
import {
  Cause,
  Effect,
  Exit,
  Fiber,
  Option,
  Random,
  Redacted,
  Schedule,
  Schema,
  Stream,
  TestClock,
  Tracer
} from "effect"
import * as Callers from "../src/Callers.ts"
import { collect } from "../src/internal/bytes/bytes.ts"
import * as OpenAiRouter from "../src/OpenAiRouter.ts"
import type { Part, Provider } from "../src/Provider.ts"
import * as ProviderError from "../src/ProviderError.ts"
import * as Route from "../src/Route.ts"

const bytes = (text: string) => new TextEncoder().encode(text)
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

const part = (content: string): Part => ({ bytes: bytes(content), content: content !== "", usage: undefined })

/** A provider that does as the test says. */
const provider = (answers: Partial<Pick<Provider, "complete" | "stream">>): Provider => ({
  name: "up",
  system: "openai",
  server: undefined,
  complete: () => Effect.succeed({ body: bytes("{}"), usage: undefined }),
  stream: () => Stream.toPull(Stream.make(part("data: a\n\n"))),
  ...answers
})

const fails = (kind: ProviderError.Kind) =>
  provider({
    complete: () => Effect.fail(ProviderError.make({ kind, status: 500 })),
    stream: () => Effect.fail(ProviderError.make({ kind, status: 500 }))
  })

const route = (name: string, ...providers: readonly [Provider, ...ReadonlyArray<Provider>]) => {
  const policy = Schema.decodeSync(Policy.Policy)({ tiers: [{ name: "tier", retry: { times: 0 } }] })
  const [tier] = policy.tiers
  const [first, ...rest] = providers.map((provider, index) => ({
    ...tier,
    name: `tier${index + 1}`,
    provider,
    model: `model${index + 1}`
  }))
  return Route.make(name, { ...policy, tiers: [first!, ...rest] })
}

const request = (path: string, fields: Partial<OpenAiRouter.Request> = {}): OpenAiRouter.Request => ({
  method: "POST",
  path,
  headers: {},
  body: Effect.succeed(bytes('{"model":"chat"}')),
  ...fields
})

const streamed = { body: Effect.succeed(bytes('{"model":"chat","stream":true}')) }

/** The response with its body read. */
const answered = (response: OpenAiRouter.Response) =>
  Effect.map(
    response.body instanceof Uint8Array
      ? Effect.succeed(text(response.body))
      : Effect.map(collect(response.body), text),
    (body) => ({ ...response, body })
  )

const ask = (handler: OpenAiRouter.Handler, asked: OpenAiRouter.Request) =>
  Effect.scoped(Effect.flatMap(handler(asked), answered))

const router = (
  routes: ReadonlyArray<Route.Route>,
  options: Partial<Parameters<typeof OpenAiRouter.make>[0]> = {}
) => OpenAiRouter.make({ routes, callers: Callers.anyone, ...options })

describe("OpenAiRouter", () => {
  it.effect("gives every answer an id of its own, drawn from Random", () =>
    Effect.gen(function* () {
      const handler = router([yield* route("chat", provider({}))])
      const ids = yield* Effect.forEach(["/v1/models", "/nowhere", "/v1/chat/completions"], (path) =>
        Effect.map(ask(handler, request(path)), ({ headers }) => headers["x-request-id"])
      ).pipe(Effect.withRandom(Random.make("seed")))
      assert.strictEqual(new Set(ids).size, 3)
      for (const id of ids) assert.match(String(id), /^req_[0-9a-f]{16}$/)
      const again = yield* Effect.withRandom(ask(handler, request("/")), Random.make("seed"))
      assert.strictEqual(again.headers["x-request-id"], ids[0])
    })
  )

  it.effect("tells onEvent of every run, with the id the caller got", () =>
    Effect.gen(function* () {
      const heard: Array<readonly [string, Attempt.Event]> = []
      const handler = router([yield* route("chat", fails("overloaded"), provider({}))], {
        onEvent: (id, event) => heard.push([id, event])
      })
      const { headers } = yield* ask(handler, request("/v1/chat/completions"))
      yield* ask(handler, request("/v1/models", { method: "GET" }))
      assert.deepStrictEqual(
        heard.map(([id, { _tag, run }]) => [id === headers["x-request-id"], _tag, run]),
        [
          [true, "AttemptEnded", "chat"],
          [true, "TierEnded", "chat"],
          [true, "AttemptEnded", "chat"],
          [true, "TierEnded", "chat"],
          [true, "RunEnded", "chat"]
        ]
      )
    })
  )

  it.effect(
    "a run's parent is the caller's span, or the server's own where that has gone on with the trace",
    () =>
      Effect.gen(function* () {
        const parents: Array<string | undefined> = []
        const spanIdAbove = (span: Tracer.Span, levels: number): string | undefined =>
          Option.match(span.parent, {
            onNone: () => undefined,
            onSome: (parent) =>
              levels === 1 || parent._tag !== "Span" ? parent.spanId : spanIdAbove(parent, levels - 1)
          })
        const complete: Provider["complete"] = () =>
          Effect.map(Effect.orDie(Effect.currentSpan), (attempt) => {
            parents.push(spanIdAbove(attempt, 3))
            return { body: bytes("{}"), usage: undefined }
          })
        const handler = router([yield* route("chat", provider({ complete }))])
        const caller = Tracer.externalSpan({ traceId: "a".repeat(32), spanId: "b".repeat(16) })
        const headers = { traceparent: `00-${caller.traceId}-${caller.spanId}-01` }
        const run = ask(handler, request("/v1/chat/completions", { headers }))
        yield* run
        yield* Effect.withSpan(run, "application")
        const server = yield* Effect.makeSpan("POST", { parent: caller })
        yield* Effect.withParentSpan(run, server)
        assert.deepStrictEqual(parents, [caller.spanId, caller.spanId, server.spanId])
      })
  )

  it.effect("asks for the key before anything else, but not for health and not for what is not there", () =>
    Effect.gen(function* () {
      const callers = yield* Callers.fromKeys([Redacted.make("sk-1")])
      const handler = router([yield* route("chat", provider({}))], { callers })
      const unread = { body: Effect.die("read") }
      const status = (path: string, fields: Partial<OpenAiRouter.Request>) =>
        Effect.map(ask(handler, request(path, fields)), ({ status }) => status)
      assert.strictEqual(yield* status("/v1/chat/completions", unread), 401)
      assert.strictEqual(yield* status("/v1/models", { ...unread, method: "GET" }), 401)
      assert.strictEqual(yield* status("/v1/models/none", { ...unread, method: "GET" }), 401)
      assert.strictEqual(yield* status("/health/live", { ...unread, method: "GET" }), 200)
      assert.strictEqual(yield* status("/nowhere", unread), 404)
      const headers = { authorization: "Bearer sk-1" }
      assert.strictEqual(yield* status("/v1/chat/completions", { headers }), 200)
    })
  )

  it.effect("answers no other method and no other path", () =>
    Effect.gen(function* () {
      const handler = router([yield* route("chat", provider({}))])
      const wrong = ["GET", "PUT", "DELETE", "OPTIONS", "post"]
      for (const method of wrong) {
        const refused = yield* ask(handler, request("/v1/chat/completions", { method }))
        assert.deepStrictEqual([refused.status, refused.headers["allow"]], [405, "POST"])
        assert.strictEqual(JSON.parse(refused.body).error.code, "method_not_allowed")
      }
      const paths = [
        "",
        "/v1",
        "/v1/",
        "/v2/chat/completions",
        "/v1/chat/completions/",
        "/v1/v1/models",
        "/V1/models"
      ]
      for (const path of [...paths, "/v1/chat", "/xv1/chat/completions", "/v1/chat/completionsx", "/%"]) {
        const { body, status } = yield* ask(handler, request(path))
        assert.deepStrictEqual([status, JSON.parse(body).error.code], [404, "not_found"], path)
      }
    })
  )

  it.effect("is ready as long as it accepts, and any tier can be asked", () =>
    Effect.gen(function* () {
      const broken = yield* route("chat", fails("auth"))
      const health = (handler: OpenAiRouter.Handler) =>
        Effect.map(ask(handler, request("/health/ready", { method: "GET" })), ({ body, status }) => [
          status,
          JSON.parse(body).status
        ])
      assert.deepStrictEqual(yield* health(router([])), [200, "ok"])
      assert.deepStrictEqual(yield* health(router([broken])), [200, "ok"])
      yield* ask(router([broken]), request("/v1/chat/completions"))
      assert.deepStrictEqual(yield* health(router([broken])), [503, "every breaker is open"])
      const other = yield* route("other", provider({}))
      assert.deepStrictEqual(yield* health(router([broken, other])), [200, "ok"])
      const draining = router([other], { ready: Effect.succeed(false) })
      assert.deepStrictEqual(yield* health(draining), [503, "draining"])
      yield* TestClock.adjust("30 seconds")
      assert.deepStrictEqual(yield* health(router([broken])), [200, "ok"])
    })
  )

  it.effect("a body too large is a 413, one that is too slow is waited for", () =>
    Effect.gen(function* () {
      const handler = router([yield* route("chat", provider({}))])
      const large = Effect.fail(new OpenAiRouter.BodyTooLarge({ maxBody: 7 }))
      const refused = yield* ask(handler, request("/v1/chat/completions", { body: large }))
      assert.strictEqual(refused.status, 413)
      assert.include(refused.body, "the body is larger than 7 bytes")
      const slow = Effect.delay(request("").body, "1 hour")
      const fiber = yield* Effect.fork(ask(handler, request("/v1/chat/completions", { body: slow })))
      yield* TestClock.adjust("1 hour")
      assert.strictEqual((yield* Fiber.join(fiber)).status, 200)
    })
  )

  it.effect("the caller's time shortens the deadline and never lengthens it", () =>
    Effect.gen(function* () {
      const silent = provider({ complete: () => Effect.never, stream: () => Effect.never })
      const handler = router([yield* route("chat", silent)])
      // The tier's own timeout is 30 seconds, the deadline 60.
      const cases = [
        ["5s", "5 seconds", 504],
        ["250ms", "250 millis", 504],
        ["0s", "0 millis", 504],
        ["20 seconds", "20 seconds", 504],
        ["10m", "30 seconds", 503]
      ] as const
      for (const body of [request("").body, streamed.body]) {
        for (const [timeout, after, status] of cases) {
          const headers = { "x-understudy-timeout": timeout }
          const fiber = yield* Effect.fork(ask(handler, request("/v1/chat/completions", { headers, body })))
          yield* TestClock.adjust(after)
          assert.strictEqual((yield* Fiber.join(fiber)).status, status, timeout)
          yield* TestClock.adjust("1 hour")
        }
      }
      for (const timeout of ["", "soon", "-5s", "5", "5s, 6s", "NaN", "1e99s"]) {
        const headers = { "x-understudy-timeout": timeout }
        const { body, status } = yield* ask(handler, request("/v1/chat/completions", { headers }))
        assert.deepStrictEqual([status, JSON.parse(body).error.code], [400, "invalid_timeout"], timeout)
      }
    })
  )

  it.effect("names in headers are plain text, whatever they are in the file", () =>
    Effect.gen(function* () {
      const policy = Schema.decodeSync(Policy.Policy)({ tiers: [{ name: "tier" }] })
      const [tier] = policy.tiers
      const odd = { ...tier, name: "größe\r\n☃", provider: provider({}), model: "a b\t\u{1f600}" }
      const handler = router([yield* Route.make("chat", { ...policy, tiers: [odd] })])
      const { headers } = yield* ask(handler, request("/v1/chat/completions"))
      assert.strictEqual(decodeURIComponent(headers["x-understudy-tier"]!), "größe\r\n☃")
      assert.match(`${headers["x-understudy-tier"]}${headers["x-understudy-model"]}`, /^[\x20-\x7e]*$/)
    })
  )

  it.effect("a bug in a provider is a 500 that tells nothing, and no other tier is asked", () =>
    Effect.gen(function* () {
      const buggy = provider({
        complete: () => Effect.die(new Error("secret")),
        stream: () => Effect.die(new Error("secret"))
      })
      const handler = router([yield* route("chat", buggy, provider({}))])
      for (const fields of [{}, streamed]) {
        const { body, headers, status } = yield* ask(handler, request("/v1/chat/completions", fields))
        assert.deepStrictEqual([status, JSON.parse(body).error.code], [500, "internal_error"])
        assert.deepStrictEqual([headers["x-should-retry"], headers["x-understudy-attempts"]], ["false", "1"])
        assert.notInclude(body, "secret")
      }
      const throwing = router([], {
        ready: Effect.sync(() => {
          throw new Error("secret")
        })
      })
      const { body, headers, status } = yield* ask(throwing, request("/health/ready", { method: "GET" }))
      assert.deepStrictEqual([status, JSON.parse(body).error.code], [500, "internal_error"])
      assert.isDefined(headers["x-request-id"])
    })
  )

  it.effect("tells of a bug that is in no event whose request it was, and of no other", () =>
    Effect.gen(function* () {
      const heard: Array<readonly [string | undefined, unknown]> = []
      const onDefect = (requestId: string, cause: Cause.Cause<unknown>) =>
        void heard.push([requestId, Cause.squash(cause)])
      const buggy = provider({ complete: () => Effect.die("of an attempt") })
      const policy = Schema.decodeSync(Policy.Policy)({ tiers: [{ name: "tier" }] })
      const schedule = Schedule.mapEffect(Schedule.forever, () => Effect.die("between attempts"))
      const backoff = Backoff.fromSchedule(schedule)
      const tiers = [{ ...policy.tiers[0], backoff, provider: fails("overloaded"), model: "model" }] as const
      const between = yield* Route.make("between", { ...policy, tiers })
      const handler = router([yield* route("chat", buggy), between], {
        onDefect,
        ready: Effect.die("at once")
      })
      const asked = (model: string) =>
        ask(handler, request("/v1/chat/completions", { body: Effect.succeed(bytes(`{"model":"${model}"}`)) }))
      const answers = [
        yield* asked("chat"),
        yield* asked("between"),
        yield* ask(handler, request("/health/ready", { method: "GET" }))
      ]
      for (const { body, status } of answers) {
        assert.deepStrictEqual([status, JSON.parse(body).error.code], [500, "internal_error"])
      }
      const ids = answers.map(({ headers }) => headers["x-request-id"])
      assert.deepStrictEqual(heard, [
        [ids[1], "between attempts"],
        [ids[2], "at once"]
      ])
    })
  )

  it.effect("what a hedge finds wrong goes back as the upstream put it, whoever is interrupted for it", () =>
    Effect.gen(function* () {
      const answer = Redacted.make({ status: 400, contentType: "application/json", body: bytes("wrong") })
      const wrong = ProviderError.make({ kind: "invalid_request", status: 400, answer })
      const policy = Schema.decodeSync(Policy.Policy)({
        tiers: [{ name: "slow", hedge: { after: "2s" } }, { name: "other" }]
      })
      const providers = [provider({ complete: () => Effect.never }), provider({ complete: () => wrong })]
      const [slow, ...rest] = policy.tiers.map((tier, index) => ({
        ...tier,
        provider: providers[index]!,
        model: "model"
      }))
      const handler = router([yield* Route.make("chat", { ...policy, tiers: [slow!, ...rest] })])
      const fiber = yield* Effect.fork(ask(handler, request("/v1/chat/completions")))
      yield* TestClock.adjust("2 seconds")
      const { body, headers, status } = yield* Fiber.join(fiber)
      assert.deepStrictEqual([status, body, headers["x-understudy-attempts"]], [400, "wrong", "2"])
    })
  )

  it.effect("an interrupted call has no answer", () =>
    Effect.gen(function* () {
      const silent = provider({ complete: () => Effect.never })
      const handler = router([yield* route("chat", silent)])
      const fiber = yield* Effect.fork(ask(handler, request("/v1/chat/completions")))
      yield* Effect.yieldNow()
      assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(fiber)))
    })
  )

  it.effect("a stream that breaks, dies or falls silent after its content ends with an error event", () =>
    Effect.gen(function* () {
      const tails = [
        Stream.fail(ProviderError.make({ kind: "connection" })),
        Stream.die(new Error("secret")),
        Stream.fromEffect(Effect.interrupt),
        Stream.never
      ]
      for (const tail of tails) {
        const up = provider({
          stream: () => Stream.toPull(Stream.concat(Stream.make(part("data: a\n\n")), tail))
        })
        const handler = router([yield* route("chat", up, provider({}))])
        const fiber = yield* Effect.fork(ask(handler, request("/v1/chat/completions", streamed)))
        yield* TestClock.adjust("1 hour")
        const { body, status } = yield* Fiber.join(fiber)
        assert.strictEqual(status, 200)
        assert.match(body, /^data: a\n\ndata: \{"error":\{.*"code":"stream_interrupted"\}\}\n\n$/)
      }
    })
  )
})
