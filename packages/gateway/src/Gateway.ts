/**
 * The gateway as an Effect: a configuration in, a listening server out.
 *
 * @since 0.1.0
 */
import type * as Attempt from "@understudy/core/Attempt"
import * as Health from "@understudy/core/Health"
import * as Admission from "@understudy/http/Admission"
import * as Anthropic from "@understudy/http/Anthropic"
import * as AzureOpenAi from "@understudy/http/AzureOpenAi"
import * as Callers from "@understudy/http/Callers"
import * as OpenAiCompatible from "@understudy/http/OpenAiCompatible"
import * as OpenAiRouter from "@understudy/http/OpenAiRouter"
import type { Provider } from "@understudy/http/Provider"
import * as Route from "@understudy/http/Route"
import * as Sandbox from "@understudy/http/Sandbox"
import type { Upstream } from "@understudy/http/Upstream"
import * as Metrics from "@understudy/otel/Metrics"
import * as Prometheus from "@understudy/otel/Prometheus"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Record from "effect/Record"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import type * as Scope from "effect/Scope"
import type { Account, Config, Provider as ProviderConfig } from "./Config.ts"
import * as AlertWatch from "./internal/alertWatch.ts"
import * as Server from "./Server.ts"
import * as StatusPage from "./StatusPage.ts"

/**
 * Starts serving and gives the address. Closing the scope drains and stops it.
 *
 * `onEvent` hears what happens in every run, with the request's id.
 *
 * @since 0.1.0
 * @category constructors
 */
export const start = (
  config: Config,
  onEvent: (requestId: string, event: Attempt.Event) => void,
  options: {
    /** Counts what happens; by default the gateway has its own. */
    readonly metrics?: Metrics.Metrics | undefined
    /** Hears that an alert of the file begins or ends to fire. */
    readonly onAlert?: ((status: Health.AlertStatus) => void) | undefined
  } = {}
): Effect.Effect<{ readonly url: string }, Server.ListenError, Scope.Scope> =>
  Effect.gen(function* () {
    // Acquired before the server, and so released after it: a drain needs its upstreams.
    const providers = yield* Effect.all(
      Record.map(config.providers, (provider, name) =>
        Effect.map(Server.upstream, (upstream) => makeProvider(name, provider, upstream))
      )
    )
    const routes = yield* Route.makeAll(
      Record.map(config.routes, (policy) => ({
        ...policy,
        tiers: Arr.map(policy.tiers, (tier) => ({ ...tier, provider: providers[tier.provider] as Provider }))
      }))
    )
    const counted = options.metrics ?? (yield* Metrics.make)
    yield* watch(counted, routes)
    const { apiKeys } = config.server
    const accepting = yield* Ref.make(true)
    const health = yield* Health.make({ alerts: alertsOf(config) })
    const { hear, pages } = yield* StatusPage.make({
      routes,
      health,
      draining: Effect.map(Ref.get(accepting), (accepting) => !accepting)
    })
    yield* counted.observe(Effect.map(health.alerts, (alerts) => [firing(alerts)]))
    yield* Effect.forkScoped(AlertWatch.watch(health.alerts, options.onAlert ?? (() => {})))
    const handler = OpenAiRouter.make({
      routes,
      callers: apiKeys.length === 0 ? Callers.anyone : yield* Callers.fromKeys(apiKeys),
      onEvent: (requestId, event) => {
        counted.listener(event)
        health.listener(event)
        hear(requestId, event)
        onEvent(requestId, event)
      },
      admission: Admission.make(config.server),
      pages: { ...pages, "/metrics": scraped(counted) },
      ready: Ref.get(accepting)
    })
    const server = yield* Server.serve({ ...config.server, handler })
    yield* Effect.addFinalizer(() => Ref.set(accepting, false))
    return server
  })

const watch = (metrics: Metrics.Metrics, routes: ReadonlyArray<Route.Route>) => {
  for (const { breakers, name } of routes) metrics.declare(name, breakers)
  const breakers = routes.flatMap((route) =>
    route.breakers.map((breaker) => ({ run: route.name, ...breaker }))
  )
  return metrics.observe(Effect.map(Metrics.breakerStates(breakers), (states) => [states]))
}

const firing = (alerts: ReadonlyArray<Health.AlertStatus>): Metrics.Family => ({
  type: "gauge",
  name: "understudy_alert_firing",
  help: "Whether the alert on a tier fires.",
  points: alerts.map(({ alert, firing }) => ({
    labels: { route: alert.run ?? "", tier: alert.tier },
    value: firing ? 1 : 0
  }))
})

const scraped =
  (metrics: Metrics.Metrics) =>
  ({ headers }: OpenAiRouter.Request): Effect.Effect<OpenAiRouter.Response> =>
    Effect.map(metrics.read, (families) => {
      const format = Prometheus.negotiate(headers["accept"])
      return {
        status: 200,
        headers: { "content-type": Prometheus.contentType[format] },
        body: Buffer.from(Prometheus.render(families, format))
      }
    })

const alertsOf = ({ routes }: Config): ReadonlyArray<Health.Alert> =>
  Object.entries(routes).flatMap(([run, { alert }]) => (alert === undefined ? [] : [{ ...alert, run }]))

const makeProvider = (name: string, provider: ProviderConfig, upstream: Upstream): Provider => {
  switch (provider.kind) {
    case "openai":
      return OpenAiCompatible.make({ ...provider, ...account(provider), name, upstream })
    case "azure":
      return AzureOpenAi.make({ ...provider, ...account(provider), name, upstream })
    case "anthropic":
      return Anthropic.make({ ...provider, ...account(provider), name, upstream })
    case "sandbox":
      return Sandbox.make({ ...provider, name })
  }
}

const account = ({ errors = [], headers = {} }: Account) => ({
  headers: Record.map(headers, Redacted.value),
  errors: errors.map((row) => ({ name: "of the file", ...row }))
})
