import { assert, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import OpenAi from "openai7"
import { chat } from "../support/gateway.ts"
import { type Program, program } from "../support/program.ts"
import { content, fails, finish, role, stream, wall } from "../support/wall.ts"
import { startJaeger } from "./counterparts.mjs"
import { freePort, running, withCounterpart } from "./support.ts"

interface Span {
  readonly spanID: string
  readonly operationName: string
  readonly startTime: number
  readonly references: ReadonlyArray<{ readonly refType: string; readonly spanID: string }>
  readonly tags: ReadonlyArray<{ readonly key: string; readonly value: unknown }>
}

/** The traces of a service as Jaeger's own page asks for them, once there are as many as expected. */
const tracesOf = (
  queryUrl: string,
  service: string,
  count: number
): Effect.Effect<ReadonlyArray<ReadonlyArray<Span>>> =>
  Effect.gen(function* () {
    for (;;) {
      const { data } = yield* Effect.promise<{
        readonly data: ReadonlyArray<{ readonly spans: ReadonlyArray<Span> }>
      }>(() => fetch(`${queryUrl}/api/traces?service=${service}`).then((response) => response.json()))
      if (data?.length === count) return data.map(({ spans }) => spans)
      yield* Effect.sleep("50 millis")
    }
  })

const tag = (span: Span, key: string): unknown => span.tags.find((tag) => tag.key === key)?.value

/** Every span as name, parent's name and the tags that tell what happened, in the order they began. */
const tree = (spans: ReadonlyArray<Span>) =>
  [...spans]
    .sort((a, b) => a.startTime - b.startTime)
    .map((span) => {
      const parent = spans.find(({ spanID }) => spanID === span.references[0]?.spanID)
      return [
        span.operationName,
        parent?.operationName,
        tag(span, "span.kind"),
        tag(span, "understudy.tier"),
        tag(span, "understudy.attempt.number"),
        tag(span, "understudy.outcome"),
        tag(span, "http.response.status_code"),
        tag(span, "error")
      ]
    })

const setup: Effect.Effect<
  { readonly queryUrl: string; readonly env: Record<string, string> },
  never,
  Scope.Scope
> = Effect.gen(function* () {
  const ports = { otlpHttpPort: yield* freePort, otlpGrpcPort: yield* freePort, queryPort: yield* freePort }
  const { queryUrl } = yield* running(() => startJaeger(ports))
  return { queryUrl, env: { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${ports.otlpHttpPort}` } }
})

const client = ({ url }: Program) => new OpenAi({ baseURL: `${url}/v1`, apiKey: "any" })

withCounterpart("jaeger", () => {
  it.scopedLive("one trace shows every attempt of a run that fell back, failed ones as errors", () =>
    Effect.gen(function* () {
      const { env, queryUrl } = yield* setup
      const [first, second] = [yield* wall, yield* wall]
      first.script(fails(503))
      const gateway = yield* program(
        chat([first.url, second.url], { tier: "retry: { times: 1, base: 20ms, jitter: none }" }),
        env
      )
      const answer = yield* Effect.promise(() =>
        client(gateway).chat.completions.create({
          model: "chat",
          messages: [{ role: "user", content: "Hi" }]
        })
      )
      assert.strictEqual(answer.model, "model2")
      assert.strictEqual(yield* Effect.promise(() => gateway.stop()), 0)

      const [spans = []] = yield* tracesOf(queryUrl, "understudy", 1)
      const run = "fallback chat"
      assert.deepStrictEqual(tree(spans), [
        [run, undefined, "internal", undefined, undefined, "success", undefined, undefined],
        ["chat model1", run, "client", "tier1", undefined, undefined, undefined, true],
        ["attempt", "chat model1", "client", "tier1", 1, "failure", 503, true],
        ["attempt", "chat model1", "client", "tier1", 2, "failure", 503, true],
        ["chat model2", run, "client", "tier2", undefined, undefined, undefined, undefined],
        ["attempt", "chat model2", "client", "tier2", 1, "success", 200, undefined]
      ])
      const logged = gateway.lines
        .filter(({ message }) => message === "attempt")
        .map(({ span_id }) => span_id)
      const attempts = spans.filter(({ operationName }) => operationName === "attempt")
      assert.sameMembers(
        logged,
        attempts.map(({ spanID }) => spanID)
      )
    })
  )

  it.scopedLive("a caller's traceparent is the parent, and a stream's spans last as long as the stream", () =>
    Effect.gen(function* () {
      const { env, queryUrl } = yield* setup
      const [first, second] = [yield* wall, yield* wall]
      first.script(stream([role], "reset"))
      second.script(stream([role, content("Hel"), content("lo"), finish]))
      const gateway = yield* program(chat([first.url, second.url], { tier: "retry: { times: 0 }" }), env)
      const traceId = "0af7651916cd43dd8448eb211c80319c"
      const headers = { traceparent: `00-${traceId}-b7ad6b7169203331-01` }
      yield* Effect.promise(async () => {
        const answer = await client(gateway).chat.completions.create(
          { model: "chat", stream: true, messages: [] },
          { headers }
        )
        for await (const _ of answer) {
        }
      })
      yield* Effect.promise(() => gateway.stop())

      const [spans = []] = yield* tracesOf(queryUrl, "understudy", 1)
      assert.deepStrictEqual(
        tree(spans).map(([name, parent, , , , outcome]) => [name, parent, outcome]),
        [
          ["fallback chat", undefined, "success"],
          ["chat model1", "fallback chat", undefined],
          ["attempt", "chat model1", "failure"],
          ["chat model2", "fallback chat", undefined],
          ["attempt", "chat model2", "success"]
        ]
      )
      const root = spans.find(({ operationName }) => operationName === "fallback chat")
      assert.strictEqual(root?.references[0]?.spanID, "b7ad6b7169203331")
    })
  )
})
