import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import { Effect, Schedule, type Scope } from "effect"
import OpenAi from "openai7"
import { waterfall } from "../../packages/gateway/test/drawing/waterfall.ts"
import { call, chatBody, type Options } from "../support/caller.ts"
import { eventually } from "../support/eventually.ts"
import { chat } from "../support/gateway.ts"
import { freePort } from "../support/ports.ts"
import { type Program, program } from "../support/program.ts"
import {
  answer,
  type Behaviour,
  content,
  fails,
  finish,
  role,
  silence,
  stream,
  wall
} from "../support/wall.ts"
import { startJaeger } from "./counterparts.mjs"
import { running, withCounterpart } from "./support.ts"

interface Span {
  readonly spanID: string
  readonly operationName: string
  readonly startTime: number
  readonly duration: number
  readonly references: ReadonlyArray<{ readonly refType: string; readonly spanID: string }>
  readonly tags: ReadonlyArray<{ readonly key: string; readonly value: unknown }>
}

/**
 * Traces as Jaeger's own page asks for them, once there are as many as expected: `?service=NAME` or `/ID`. Their spans come in
 * the order they began.
 */
const tracesOf = (
  queryUrl: string,
  which: string,
  count = 1
): Effect.Effect<ReadonlyArray<ReadonlyArray<Span>>> =>
  Effect.promise<{ readonly data: ReadonlyArray<{ readonly spans: ReadonlyArray<Span> }> | null }>(() =>
    fetch(`${queryUrl}/api/traces${which}`).then((response) => response.json())
  ).pipe(
    Effect.map(({ data }) =>
      (data ?? []).map(({ spans }) => spans.toSorted((a, b) => a.startTime - b.startTime))
    ),
    Effect.filterOrFail((traces) => traces.length === count),
    Effect.retry(Schedule.spaced("50 millis")),
    Effect.orDie
  )

const tag = (span: Span, key: string): unknown => span.tags.find((tag) => tag.key === key)?.value

/** The trace as a picture, which is the guide's if the environment wants it drawn anew. */
const draw = (spans: ReadonlyArray<Span>): string => {
  const parentOf = ({ references }: Span) => spans.find(({ spanID }) => spanID === references[0]?.spanID)
  const depthOf = (span: Span): number => {
    const parent = parentOf(span)
    return parent === undefined ? 0 : 1 + depthOf(parent)
  }
  const picture = waterfall(
    spans
      .toSorted((a, b) => a.startTime - b.startTime || depthOf(a) - depthOf(b))
      .map((span) => ({
        name: span.operationName,
        depth: depthOf(span),
        start: span.startTime,
        duration: span.duration,
        failed: tag(span, "error") === true,
        note: String(tag(span, "error.type") ?? tag(span, "understudy.served_by") ?? "")
      }))
  )
  if (process.env["UNDERSTUDY_PICTURES"] !== undefined) {
    writeFileSync(join(import.meta.dirname, "../../docs/trace.svg"), picture)
  }
  return picture
}

/** Every span as name, parent's name and the tags that tell what happened. */
const tree = (spans: ReadonlyArray<Span>) =>
  spans.map((span) => {
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
  {
    readonly queryUrl: string
    readonly env: Record<string, string>
    readonly ports: { readonly otlpHttpPort: number; readonly otlpGrpcPort: number }
  },
  never,
  Scope.Scope
> = Effect.gen(function* () {
  const ports = { otlpHttpPort: yield* freePort, otlpGrpcPort: yield* freePort, queryPort: yield* freePort }
  const { queryUrl } = yield* running(() => startJaeger(ports))
  return { queryUrl, ports, env: { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${ports.otlpHttpPort}` } }
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

      const [spans = []] = yield* tracesOf(queryUrl, "?service=understudy")
      const run = "fallback chat"
      assert.deepStrictEqual(tree(spans), [
        [run, undefined, "internal", undefined, undefined, "success", undefined, undefined],
        ["chat model1", run, "client", "tier1", undefined, undefined, undefined, true],
        ["attempt", "chat model1", "client", "tier1", 1, "failure", 503, true],
        ["attempt", "chat model1", "client", "tier1", 2, "failure", 503, true],
        ["chat model2", run, "client", "tier2", undefined, undefined, undefined, undefined],
        ["attempt", "chat model2", "client", "tier2", 1, "success", 200, undefined]
      ])
      assert.lengthOf([...draw(spans).matchAll(/class="bad fill"/g)], 3)
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

      const [spans = []] = yield* tracesOf(queryUrl, "?service=understudy")
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

  const run = "fallback chat"
  const failed = (number: number, status: number) =>
    ["attempt", "chat model1", "client", "tier1", number, "failure", status, true] as const
  const tier = (n: number, error: true | undefined) =>
    [`chat model${n}`, run, "client", `tier${n}`, undefined, undefined, undefined, error] as const
  const root = (outcome: string, error?: true) =>
    [run, undefined, "internal", undefined, undefined, outcome, undefined, error] as const
  const answered = (n: number, number = 1) =>
    ["attempt", `chat model${n}`, "client", `tier${n}`, number, "success", 200, undefined] as const
  const ended = (outcome: string, status?: number, error?: true) =>
    ["attempt", "chat model1", "client", "tier1", 1, outcome, status, error] as const

  /** What the first upstream does, what is asked, and the tree of it. */
  const golden: Readonly<
    Record<
      string,
      {
        readonly first: ReadonlyArray<Behaviour>
        readonly asks?: Options
        readonly leaves?: true
        readonly tree: ReadonlyArray<ReadonlyArray<unknown>>
      }
    >
  > = {
    success: { first: [answer()], tree: [root("success"), tier(1, undefined), answered(1)] },
    retry: {
      first: [fails(503), answer()],
      tree: [root("success"), tier(1, undefined), failed(1, 503), answered(1, 2)]
    },
    fallback: {
      first: [fails(503)],
      tree: [root("success"), tier(1, true), failed(1, 503), failed(2, 503), tier(2, undefined), answered(2)]
    },
    abort: {
      first: [fails(400)],
      tree: [root("rejected", true), tier(1, true), ended("ignored", 400, true)]
    },
    cancel: {
      first: [silence],
      leaves: true,
      tree: [root("cancelled"), tier(1, undefined), ended("interrupted")]
    },
    deadline: {
      first: [silence],
      asks: { headers: { "x-understudy-timeout": "200ms" } },
      tree: [root("failure", true), tier(1, true), ended("timeout", undefined, true)]
    },
    "a stream that breaks off after its commit point": {
      first: [stream([role, content("Hel")], "reset")],
      asks: { body: chatBody({ stream: true }) },
      tree: [root("failure", true), tier(1, true), ended("failure", 200, true)]
    },
    "a key that is refused": {
      first: [fails(401)],
      tree: [root("success"), tier(1, true), failed(1, 401), tier(2, undefined), answered(2)]
    },
    "and its breaker then": {
      first: [answer()],
      tree: [root("success"), tier(2, undefined), answered(2)]
    }
  }

  for (const [protocol, port] of [
    ["grpc", "otlpGrpcPort"],
    ["http/protobuf", "otlpHttpPort"]
  ] as const) {
    it.scopedLive(
      `over ${protocol} it gets the tree of every kind of run, with the caller's span above`,
      () =>
        Effect.gen(function* () {
          const { ports, queryUrl } = yield* setup
          const [first, second] = [yield* wall, yield* wall]
          const gateway = yield* program(
            chat([first.url, second.url], { tier: "retry: { times: 1, base: 20ms, jitter: none }" }),
            {
              OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${ports[port]}`,
              OTEL_EXPORTER_OTLP_PROTOCOL: protocol
            }
          )
          const scenarios = Object.entries(golden).map(([name, scenario], index) => ({
            ...scenario,
            name,
            traceId: `${"0af7651916cd43dd8448eb211c8031"}${String(index).padStart(2, "0")}`
          }))
          for (const { asks, first: behaviours, leaves, traceId } of scenarios) {
            first.script(...behaviours)
            const before = first.received.length
            const headers = { traceparent: `00-${traceId}-b7ad6b7169203331-01`, ...asks?.headers }
            const { answer, leave } = yield* call(gateway.url, { ...asks, headers })
            if (leaves) {
              yield* eventually(() => first.received.length > before)
              leave()
            }
            yield* answer
          }
          yield* eventually(
            () => gateway.lines.filter(({ message }) => message === "run").length === scenarios.length
          )
          yield* Effect.promise(() => gateway.stop())
          for (const { name, traceId, tree: expected } of scenarios) {
            const [spans = []] = yield* tracesOf(queryUrl, `/${traceId}`)
            assert.deepStrictEqual(tree(spans) as unknown, expected, name)
            const [above] = spans.find(({ operationName }) => operationName === run)?.references ?? []
            assert.strictEqual(above?.spanID, "b7ad6b7169203331", name)
          }
          const [[, answeredTier] = []] = yield* tracesOf(queryUrl, `/${scenarios[0]?.traceId}`)
          assert.deepStrictEqual(
            [
              "gen_ai.provider.name",
              "gen_ai.response.finish_reasons",
              "gen_ai.usage.output_tokens",
              "server.port"
            ].map((key) => answeredTier && tag(answeredTier, key)),
            ["openai", '["stop"]', 2, Number(new URL(first.url).port)]
          )
          const [[refused] = []] = yield* tracesOf(queryUrl, `/${scenarios.at(-1)?.traceId}`)
          assert.include(JSON.stringify(refused), "tier refused")
        })
    )
  }
})
