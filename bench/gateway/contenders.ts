import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { type Server, start } from "./processes.ts"

const streams = ["stream", "paced", "spoken"] as const
const behaviours = ["answer", "wait", "busy", ...streams] as const

/** The upstreams of a scenario: what the mock does for each tier, the next one asked when one is `busy`. */
export type Upstreams = ReadonlyArray<(typeof behaviours)[number]>

/** How a contender is asked for something. */
export interface Question {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export interface Contender {
  readonly name: string
  readonly what: string
  readonly start: (places: Places) => Promise<Server>
  readonly question: (places: Places, own: Server, upstreams: Upstreams) => Question
}

export interface Places {
  /** The folder of the bundled processes. */
  readonly out: string
  readonly mock: Server
  /** The bundled gateway, that of another commit where one is given, and Portkey's program. */
  readonly ours: string
  readonly base: string | undefined
  readonly portkey: string
}

export const startMock = (out: string): Promise<Server> =>
  start(out, { name: "mock", core: "load", program: join(out, "mock.mjs"), args: (port) => [String(port)] })

const body = (model: string, stream: boolean): string =>
  JSON.stringify({
    model,
    messages: [
      { role: "system", content: "You are a helpful assistant who answers briefly." },
      { role: "user", content: "Who goes on tonight when the lead has lost her voice, and who told her so?" }
    ],
    temperature: 0.7,
    max_tokens: 256,
    ...(stream && { stream, stream_options: { include_usage: true } })
  })

const isStream = (upstreams: Upstreams): boolean =>
  upstreams.some((upstream) => streams.some((each) => each === upstream))

const plain =
  (path: (upstreams: Upstreams) => string) =>
  (_: Places, { url }: Server, upstreams: Upstreams): Question => ({
    url: `${url}${path(upstreams)}/v1/chat/completions`,
    headers: { "content-type": "application/json" },
    body: body(upstreams.join("-"), isStream(upstreams))
  })

/** Every tier with all that a policy has. Where one is always busy, no breaker may spare it. */
const file = (mock: string): string => {
  const tier = (upstream: Upstreams[number], name: string) => `
      - name: ${name}
        provider: ${upstream}
        model: mock-large
        timeout: 20s
        attemptTimeout: 12s
        retry: { times: ${upstream === "busy" ? 0 : 2}, base: 250ms, max: 4s, jitter: full }
        breaker: { consecutive: ${upstream === "busy" ? 1_000_000_000 : 5}, openFor: 30s }`
  const route = (upstreams: Upstreams) => `
  ${upstreams.join("-")}:
    deadline: 45s
    tiers:${upstreams.map((upstream, index) => tier(upstream, `tier-${index + 1}`)).join("")}`
  const providers = behaviours.map(
    (name) => `\n  ${name}: { kind: openai, baseUrl: ${mock}/${name}/v1, apiKey: sk-mock }`
  )
  // As many at once as callers come: nobody else turns any away.
  return `server: { maxInFlight: 10000 }\nproviders:${providers.join("")}\nroutes:${allUpstreams.map(route).join("")}\n`
}

export const allUpstreams: ReadonlyArray<Upstreams> = [
  ["answer", "answer"],
  ["busy", "answer"],
  ["stream", "stream"],
  ["paced", "paced"],
  ["spoken", "spoken"],
  ["wait", "wait"]
]

const ours = (
  name: string,
  what: string,
  sampled = "0.01",
  program = ({ ours }: Places) => ours,
  workers = 1
): Contender => ({
  name,
  what,
  start: (places) => {
    const { mock, out } = places
    const policy = join(out, `${name}.yaml`)
    writeFileSync(policy, file(mock.url))
    return start(out, {
      name,
      core: workers === 1 ? "measured" : "both",
      program: program(places),
      args: (port) => [
        ...["serve", policy, "--port", String(port), "--log", "json"],
        ...["--workers", String(workers)]
      ],
      env: sampled === "none" ? {} : traces(mock.url, sampled)
    })
  },
  question: plain(() => "")
})

const traces = (endpoint: string, sampled: string) => ({
  OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
  OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
  OTEL_TRACES_SAMPLER_ARG: sampled
})

export const contenders: ReadonlyArray<Contender> = [
  {
    name: "direct",
    what: "the mock upstream, nothing between",
    start: ({ mock }) => Promise.resolve(mock),
    question: plain(([first]) => `/${first}`)
  },
  {
    name: "raw",
    what: "node:http and undici.request, bytes passed through; the reference",
    start: ({ mock, out }) =>
      start(out, {
        name: "raw",
        core: "measured",
        program: join(out, "raw.mjs"),
        args: (port) => [String(port), mock.url]
      }),
    question: plain((upstreams) => `/${upstreams.join(",")}`)
  },
  ours(
    "ours",
    "the bundled gateway: whole policy, breakers, a log line an attempt, one trace in a hundred over OTLP"
  ),
  ours("base", "the same at the commit given by --against", undefined, ({ base, ours }) => base ?? ours),
  ours("workers", "the same with --workers 2, on both cores", undefined, undefined, 2),
  ours("traced", "the same with every trace over OTLP", "1"),
  ours("untraced", "the same without any, as it is shipped", "none"),
  {
    name: "portkey",
    what: "@portkey-ai/gateway 1.15.2 with @hono/node-server 1.11.1: fallback over the same upstreams, no log",
    start: ({ out, portkey }) =>
      start(out, {
        name: "portkey",
        core: "measured",
        program: portkey,
        args: (port) => ["--headless", `--port=${port}`],
        env: { NODE_ENV: "production" }
      }),
    question: ({ mock }, own, upstreams) => {
      const { body, url } = plain(() => "")({} as Places, own, upstreams)
      const targets = upstreams.map((upstream) => ({
        provider: "openai",
        api_key: "sk-mock",
        custom_host: `${mock.url}/${upstream}/v1`
      }))
      const config = { strategy: { mode: "fallback" }, targets }
      return {
        url,
        headers: { "content-type": "application/json", "x-portkey-config": JSON.stringify(config) },
        body
      }
    }
  }
]
