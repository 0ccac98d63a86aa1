/**
 * What a gateway knows of itself: as JSON at `/status`, and as a page at `/`.
 *
 * @since 0.1.0
 */
import type * as Attempt from "@understudy/core/Attempt"
import type { Response } from "@understudy/http/OpenAiRouter"
import type * as Metrics from "@understudy/otel/Metrics"
import * as Effect from "effect/Effect"
import { contentSecurityPolicy, page } from "./internal/page/page.ts"
import * as Recent from "./internal/serving/recent.ts"
import { type PolicyStatus, type Served, statusOf } from "./internal/serving/status.ts"
import type * as Log from "./Log.ts"

export type {
  AlertStatus,
  AttemptStatus,
  BreakerStatus,
  ModelStatus,
  PolicyStatus,
  Rates,
  RouteStatus,
  Served,
  Status,
  TierStatus
} from "./internal/serving/status.ts"

/**
 * Hears of what happens, and shows it.
 *
 * @since 0.1.0
 * @category models
 */
export interface StatusPage {
  /** To be told of every event of every run. */
  readonly hear: (requestId: string | undefined, event: Attempt.Event) => void
  /** What came of a synthetic check, as the log has it. */
  readonly probed: (entry: Log.Entry) => void
  /** What is served from now on. */
  readonly show: (served: Served) => void
  /** A file that was to be served and cannot be, and why not. */
  readonly refuse: (reason: string) => void
  /** What is to be had by their paths. */
  readonly pages: Readonly<Record<string, () => Effect.Effect<Response>>>
}

/**
 * Makes the pages of a gateway that is about to start and serves nothing yet.
 *
 * @example
 * import { Effect } from "effect"
 * import { StatusPage } from "@understudy/gateway"
 * import { Metrics } from "@understudy/otel"
 *
 * const metrics = Effect.runSync(Metrics.make)
 * const { pages } = Effect.runSync(StatusPage.make({ draining: Effect.succeed(false), metrics }))
 *
 * console.log(Object.keys(pages)) // => [ '/', '/status' ]
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: {
  readonly draining: Effect.Effect<boolean>
  readonly metrics: Metrics.Metrics
}): Effect.Effect<StatusPage> =>
  Effect.map(Effect.clock, (clock) => {
    const now = () => new Date(clock.unsafeCurrentTimeMillis())
    const recent = Recent.make()
    const startedAt = now()
    const probes = new Map<string, Log.Entry>()
    let served: Served | undefined
    let policy: PolicyStatus = { loaded_at: startedAt.toISOString(), refused: null }
    const status = Effect.suspend(() =>
      served === undefined
        ? Effect.dieMessage("nothing is served yet")
        : statusOf({ ...options, ...served, policy, recent, probes, startedAt })
    )
    return {
      hear: (requestId, event) => recent.hear(requestId, event, now()),
      probed: (entry) => void probes.set(JSON.stringify([entry["route"], entry["tier"]]), entry),
      show: (next) => {
        probes.clear()
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
        "/": () =>
          Effect.map(status, (status) =>
            response("text/html; charset=utf-8", page(status), {
              "content-security-policy": contentSecurityPolicy
            })
          ),
        "/status": () => Effect.map(status, (status) => response("application/json", JSON.stringify(status)))
      }
    }
  })

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
