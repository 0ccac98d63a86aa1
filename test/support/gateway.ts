import type { Attempt } from "@understudy/core"
import { Config, Gateway, Log, type Server } from "@understudy/gateway"
import { Effect, Record, type Scope } from "effect"

/** A gateway inside this process, on a free port, with what it logged. */
export interface Running {
  /** Without `/v1`. */
  readonly url: string
  readonly log: Array<Log.Entry>
  readonly events: Array<Attempt.Event>
  /** What it logged of synthetic checks. */
  readonly probes: Array<Log.Entry>
  /** Serves another file; gives the keys that need a restart. */
  readonly reload: (yaml: string) => Effect.Effect<ReadonlyArray<string>, Config.ConfigError>
}

/** Starts a gateway from the text of its file; the port it names is replaced by a free one. */
export const gateway = (
  yaml: string,
  env: Readonly<Record<string, string>> = {}
): Effect.Effect<Running, Config.ConfigError | Server.ListenError, Scope.Scope> =>
  Effect.gen(function* () {
    const read = (yaml: string) =>
      Effect.map(Config.parse(yaml, "test.yaml", env), (config) => ({
        ...config,
        server: { ...config.server, port: 0 }
      }))
    const log: Array<Log.Entry> = []
    const events: Array<Attempt.Event> = []
    const probes: Array<Log.Entry> = []
    const { reload, url } = yield* Gateway.start(
      yield* read(yaml),
      (id, event) => {
        events.push(event)
        log.push(Log.entry(id, event, new Date()))
      },
      {
        onAlert: (status) => log.push(Log.alert(status, new Date())),
        onProbe: (id, event) => probes.push(Log.entry(id, event, new Date()))
      }
    )
    return { url, log, events, probes, reload: (yaml) => reload(read(yaml)) }
  })

/** One route `chat` of tiers `tier1`, `tier2`, … over these upstreams, each with model `model1`, `model2`, …. */
export const chat = (
  urls: ReadonlyArray<string>,
  options: {
    readonly tier?: string
    /** Of the first tier alone, beside `tier`. */
    readonly tier1?: string | undefined
    /** Of every provider. */
    readonly provider?: string
    readonly route?: string
    readonly server?: string
  } = {}
): string =>
  [
    `server: { drain: 1s ${options.server === undefined ? "" : `, ${options.server}`} }`,
    "providers:",
    ...urls.map(
      (url, index) =>
        `  provider${index + 1}: { kind: openai, baseUrl: "${url}", apiKey: sk-upstream-${index + 1}${options.provider === undefined ? "" : `, ${options.provider}`} }`
    ),
    "routes:",
    "  chat:",
    ...(options.route === undefined ? [] : [`    ${options.route}`]),
    "    tiers:",
    ...urls.map((_, index) => {
      const n = index + 1
      const rest = [options.tier, n === 1 ? options.tier1 : undefined]
        .map((text) => text && `, ${text}`)
        .join("")
      return `      - { name: tier${n}, provider: provider${n}, model: model${n}${rest} }`
    })
  ].join("\n")

/** A route for each of these upstreams, called as they are: its tier `primary`, and `standby` behind it if there is one. */
export const routeEach = (
  urls: Readonly<Record<string, string>>,
  options: { readonly primary: object; readonly route?: object; readonly standby?: string }
): string => {
  const openai = (baseUrl: string) => ({ kind: "openai", baseUrl })
  const { primary, standby } = options
  const last = standby === undefined ? [] : [{ name: "standby", provider: "standby", model: "m" }]
  return JSON.stringify({
    server: { drain: "1s" },
    providers: {
      ...Record.map(urls, (url, name) => ({ ...openai(url), apiKey: `sk-${name}` })),
      ...(standby !== undefined && { standby: openai(standby) })
    },
    routes: Record.map(urls, (_, name) => ({
      ...options.route,
      tiers: [{ name: "primary", provider: name, model: "m", ...primary }, ...last]
    }))
  })
}
