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

/** What one file makes of requests, from callers' keys down to connections upstream. */
export interface Serving {
  readonly config: Config
  readonly routes: ReadonlyArray<Route.Route>
  readonly health: Health.Health
  readonly checks: Health.Health | undefined
  readonly handler: OpenAiRouter.Handler
  readonly admission: Admission.Admission
  readonly breakers: Breakers.Breakers
}

/** What goes on whatever is served. */
export interface House {
  /** Without an id what happens in no run. */
  readonly onEvent: (requestId: string | undefined, event: Attempt.Event) => void
  /** Of what is in no event. */
  readonly onDefect?: ((requestId: string, cause: Cause.Cause<unknown>) => void) | undefined
  readonly pages: Readonly<
    Record<string, (request: OpenAiRouter.Request) => Effect.Effect<OpenAiRouter.Response>>
  >
  readonly ready: Effect.Effect<boolean>
  /** Whether prompts and answers go onto spans. Default: they go nowhere. */
  readonly capturesContent?: boolean | undefined
}

/** Takes over from the one before what the file has not changed: breakers, health, and the count of who is in. */
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
        // What becomes of a breaker that only runs of before still ask is nobody's news.
        const isNews = event._tag !== "BreakerChanged" || !breakers.isRetired(event.run, event.tier)
        if (isNews) house.onEvent(requestId, event)
      },
      admission
    })
    const handler = apiKeys.length === 0 ? fromHere(router) : router
    return { config, routes, health, checks, handler, admission, breakers }
  })

/** Where anybody on this machine may call, a web page of elsewhere that a browser here shows is still not anybody. */
const fromHere =
  (handler: OpenAiRouter.Handler): OpenAiRouter.Handler =>
  (request) => {
    const { host } = request.headers
    // Its name may lead here.
    if (host !== undefined && !isLoopback(nameIn(host))) return Effect.sync(Refusals.foreignHost)
    return isOfForeignPage(request) ? Effect.sync(Refusals.foreignOrigin) : handler(request)
  }

/** What a browser says of the page that asks; whoever is no browser says nothing. A link may lead here from anywhere. */
const isOfForeignPage = ({ headers, method }: OpenAiRouter.Request): boolean => {
  const origin = headers["origin"]
  if (origin !== undefined && !isLoopback(nameInOrigin(origin))) return true
  if (headers["sec-fetch-site"] !== "cross-site") return false
  return method !== "GET" || headers["sec-fetch-dest"] !== "document"
}

const limitsOf = ({ server: { maxInFlight, maxQueue, maxWait } }: Config) => [maxInFlight, maxQueue, maxWait]
