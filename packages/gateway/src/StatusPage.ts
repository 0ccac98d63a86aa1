/**
 * The gateway's status: as JSON at `/status`, as a page at `/`, and for Prometheus at `/metrics`.
 *
 * @since 0.1.0
 */
import type * as Attempt from "@understudy/core/Attempt"
import type { Request, Response } from "@understudy/http/OpenAiRouter"
import type * as Metrics from "@understudy/otel/Metrics"
import * as Prometheus from "@understudy/otel/Prometheus"
import * as Effect from "effect/Effect"
import { contentSecurityPolicy, page } from "./internal/page/page.ts"
import { type Ask, alertStatus, alone, type Known, measured, type Self } from "./internal/serving/known.ts"
import * as Recent from "./internal/serving/recent.ts"
import {
  accountOf,
  type PolicyStatus,
  type Served,
  type Status,
  statusOf
} from "./internal/serving/status.ts"
import type * as Log from "./Log.ts"

export type {
  AlertStatus,
  AttemptStatus,
  BreakerStatus,
  CheckStatus,
  ModelStatus,
  PolicyStatus,
  Rates,
  RouteStatus,
  Served,
  Status,
  TierStatus
} from "./internal/serving/status.ts"

/**
 * Records events, and shows them.
 *
 * @since 0.1.0
 * @category models
 */
export interface StatusPage {
  /** Records an event of a run. */
  readonly hear: (requestId: string | undefined, event: Attempt.Event) => void
  /** Records the result of a synthetic check, as its log line. */
  readonly probed: (entry: Log.Entry) => void
  /** Shows another configuration from now on. */
  readonly show: (served: Served) => void
  /** Records that a reload was refused, and why. */
  readonly refuse: (reason: string) => void
  /** The handlers, by path. */
  readonly pages: Readonly<Record<string, (request: Request) => Effect.Effect<Response>>>
}

/**
 * Makes the pages of a gateway that is starting and serves nothing yet.
 *
 * @example
 * import { Effect } from "effect"
 * import { StatusPage } from "@understudy/gateway"
 * import { Metrics } from "@understudy/otel"
 *
 * const metrics = Effect.runSync(Metrics.make)
 * const { pages } = Effect.runSync(StatusPage.make({ draining: Effect.succeed(false), metrics }))
 *
 * console.log(Object.keys(pages)) // => [ '/', '/metrics', '/status' ]
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: {
  readonly draining: Effect.Effect<boolean>
  readonly metrics: Metrics.Metrics
  /** How to ask all processes of the gateway, including this one. Default: it is the only one. */
  readonly peers?: ((self: Self) => Ask) | undefined
}): Effect.Effect<StatusPage> =>
  Effect.map(Effect.clock, (clock) => {
    const now = () => new Date(clock.unsafeCurrentTimeMillis())
    const recent = Recent.make()
    const startedAt = now().toISOString()
    const probes = new Map<string, Log.Entry>()
    let served: Served | undefined
    let policy: PolicyStatus = { loaded_at: startedAt, refused: null }
    const serving = Effect.suspend(() =>
      served === undefined ? Effect.dieMessage("nothing is served yet") : Effect.succeed(served)
    )
    const ask = (options.peers ?? alone)({
      counts: Effect.flatMap(serving, ({ health }) =>
        Effect.all({ families: options.metrics.read, watched: health.watched })
      ),
      account: Effect.flatMap(serving, (served) => accountOf({ ...served, recent, probes })),
      alone: Effect.flatMap(serving, ({ health }) =>
        Effect.map(health.alerts, (alerts) => ({ alerts: alerts.map(alertStatus), policy, startedAt }))
      )
    })
    const answered = (
      full: boolean,
      answer: (known: Known, request: Request) => Effect.Effect<Response>
    ): ((request: Request) => Effect.Effect<Response>) => {
      return (request) =>
        Effect.matchEffect(ask(full), {
          onFailure: () => Effect.succeed(unanswered),
          onSuccess: (known) => answer(known, request)
        })
    }
    const status = (show: (status: Status) => Response) =>
      answered(true, (known) =>
        Effect.map(
          Effect.flatMap(Effect.all([serving, options.draining]), ([{ routes }, draining]) =>
            statusOf(routes, draining, known)
          ),
          show
        )
      )
    return {
      hear: (requestId, event) => recent.hear(requestId, event, now()),
      probed: (entry) => void probes.set(nameOf(entry["route"], entry["tier"]), entry),
      show: (next) => {
        const names = new Set(
          next.routes.flatMap(({ breakers, name }) => breakers.map(({ tier }) => nameOf(name, tier)))
        )
        for (const name of probes.keys()) if (!names.has(name)) probes.delete(name)
        served = next
        policy = { loaded_at: now().toISOString(), refused: null }
        recent.follow(
          next.routes.flatMap(({ name, tiers }) => tiers.map((tier) => [name, tier.name] as const))
        )
      },
      refuse: (reason) => {
        policy = { ...policy, refused: { at: now().toISOString(), reason } }
      },
      pages: {
        "/": status((status) =>
          response("text/html; charset=utf-8", page(status), {
            "content-security-policy": contentSecurityPolicy()
          })
        ),
        "/metrics": answered(false, (known, { headers }) =>
          Effect.sync(() => scraped(known, headers["accept"]))
        ),
        "/status": status((status) => response("application/json", JSON.stringify(status)))
      }
    }
  })

const scraped = (known: Known, accept: string | undefined): Response => {
  const format = Prometheus.negotiate(accept)
  return {
    status: 200,
    headers: { "content-type": Prometheus.contentType[format] },
    body: new TextEncoder().encode(Prometheus.render(measured(known), format))
  }
}

// An incomplete sum of counters would look like a restart to Prometheus.
const unanswered: Response = {
  status: 503,
  headers: { "content-type": "text/plain", "cache-control": "no-store" },
  body: new TextEncoder().encode("the other processes did not answer\n")
}

const response = (type: string, text: string, headers: Readonly<Record<string, string>> = {}): Response => ({
  status: 200,
  headers: {
    "content-type": type,
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    ...headers
  },
  body: new TextEncoder().encode(text)
})

const nameOf = (route: unknown, tier: unknown): string => JSON.stringify([route, tier])
