/**
 * The gateway as an Effect: a configuration in, a listening server out.
 *
 * @since 0.1.0
 */
import type * as Attempt from "@understudy/core/Attempt"
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
import * as Server from "./Server.ts"

/**
 * Starts serving and gives the address. Closing the scope drains and stops it.
 *
 * `onEvent` hears what happens in every run, with the request's id. `metrics` counts it; by default the gateway has
 * its own.
 *
 * @since 0.1.0
 * @category constructors
 */
export const start = (
  config: Config,
  onEvent: (requestId: string, event: Attempt.Event) => void,
  metrics?: Metrics.Metrics
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
    const counted = metrics ?? (yield* Metrics.make)
    yield* watch(counted, routes)
    const { apiKeys } = config.server
    const accepting = yield* Ref.make(true)
    const handler = OpenAiRouter.make({
      routes,
      callers: apiKeys.length === 0 ? Callers.anyone : yield* Callers.fromKeys(apiKeys),
      onEvent: (requestId, event) => {
        counted.listener(event)
        onEvent(requestId, event)
      },
      pages: { "/metrics": scraped(counted) },
      admission: Admission.make(config.server),
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
