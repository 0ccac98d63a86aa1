import { isDeepStrictEqual } from "node:util"
import type * as Attempt from "@understudy/core/Attempt"
import * as Health from "@understudy/core/Health"
import * as Admission from "@understudy/http/Admission"
import * as Callers from "@understudy/http/Callers"
import * as ContentCapture from "@understudy/http/ContentCapture"
import * as OpenAiRouter from "@understudy/http/OpenAiRouter"
import type { Provider } from "@understudy/http/Provider"
import * as Route from "@understudy/http/Route"
import * as Arr from "effect/Array"
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Record from "effect/Record"
import type * as Scope from "effect/Scope"
import type { Config } from "../../Config.ts"
import * as Server from "../../Server.ts"
import { alertsOf } from "../file/alertsOf.ts"
import { isLoopback, nameIn, nameInOrigin } from "../network/loopback.ts"
import * as Refusals from "../network/refusals.ts"
import * as Breakers from "./breakers.ts"
import * as Checks from "./checks.ts"
import * as Providers from "./providers.ts"

/** Everything that serves one configuration, from callers' keys to upstream connections. */
export interface Serving {
  readonly config: Config
  readonly routes: ReadonlyArray<Route.Route>
  readonly health: Health.Health
  readonly checks: Health.Health | undefined
  readonly handler: OpenAiRouter.Handler
  readonly admission: Admission.Admission
  readonly breakers: Breakers.Breakers
}

/** What outlives a reload. */
export interface House {
  /** Without an id for events outside a run. */
  readonly onEvent: (requestId: string | undefined, event: Attempt.Event) => void
  /** Receives defects that are in no event. */
  readonly onDefect?: ((requestId: string, cause: Cause.Cause<unknown>) => void) | undefined
  readonly pages: Readonly<
    Record<string, (request: OpenAiRouter.Request) => Effect.Effect<OpenAiRouter.Response>>
  >
  readonly ready: Effect.Effect<boolean>
  /** Whether prompts and answers are recorded on spans. Default: no. */
  readonly capturesContent?: boolean | undefined
}

/** Takes over what the file has not changed: breakers, health, and the count of requests in flight. */
export const make = (
  config: Config,
  house: House,
  before?: Serving
): Effect.Effect<Serving, never, Scope.Scope> =>
  Effect.gen(function* () {
    const providers = yield* Effect.all(
      Record.map(config.providers, (provider, name) =>
        Effect.map(Server.upstream, (upstream) => {
          const made = Providers.make(name, provider, upstream)
          return house.capturesContent ? ContentCapture.capture(made) : made
        })
      )
    )
    const breakers = yield* Breakers.make(config, before)
    const routes = yield* Route.makeAll(
      Record.map(config.routes, (policy) => ({
        ...policy,
        tiers: Arr.map(policy.tiers, (tier) => ({ ...tier, provider: providers[tier.provider] as Provider }))
      })),
      { breaker: breakers.of }
    )
    const alerts = alertsOf(config)
    const health =
      before !== undefined && isDeepStrictEqual(alerts, alertsOf(before.config))
        ? before.health
        : yield* Health.make({ alerts })
    const checks = yield* Checks.make(config.probe, {
      probe: before?.config.probe,
      checks: before?.checks
    })
    const admission =
      before !== undefined && isDeepStrictEqual(limitsOf(config), limitsOf(before.config))
        ? before.admission
        : Admission.make(config.server)
    const { apiKeys } = config.server
    const router = OpenAiRouter.make({
      ...house,
      routes,
      callers: apiKeys.length === 0 ? Callers.anyone : yield* Callers.fromKeys(apiKeys),
      onEvent: (requestId, event) => {
        health.listener(event)
        // Transitions of a retired breaker are not reported.
        const isNews = event._tag !== "BreakerChanged" || !breakers.isRetired(event.run, event.tier)
        if (isNews) house.onEvent(requestId, event)
      },
      admission
    })
    const handler = apiKeys.length === 0 ? fromHere(router) : router
    return { config, routes, health, checks, handler, admission, breakers }
  })

/** Without keys everybody on this machine may call, but not a foreign web page in a browser on this machine. */
const fromHere =
  (handler: OpenAiRouter.Handler): OpenAiRouter.Handler =>
  (request) => {
    const { host } = request.headers
    // DNS rebinding: a foreign name may resolve to this machine.
    if (host !== undefined && !isLoopback(nameIn(host))) return Effect.sync(Refusals.foreignHost)
    return isOfForeignPage(request) ? Effect.sync(Refusals.foreignOrigin) : handler(request)
  }

/**
 * Whether a browser says that the request comes from a foreign page. Other clients send no such header. Links from
 * anywhere are allowed.
 */
const isOfForeignPage = ({ headers, method }: OpenAiRouter.Request): boolean => {
  const origin = headers["origin"]
  if (origin !== undefined && !isLoopback(nameInOrigin(origin))) return true
  if (headers["sec-fetch-site"] !== "cross-site") return false
  return method !== "GET" || headers["sec-fetch-dest"] !== "document"
}

const limitsOf = ({ server: { maxInFlight, maxQueue, maxWait } }: Config) => [maxInFlight, maxQueue, maxWait]
