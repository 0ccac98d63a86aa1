/**
 * What a gateway knows of itself: as JSON at `/status`, and as a page at `/`.
 *
 * @since 0.1.0
 */
import type * as Attempt from "@understudy/core/Attempt"
import type { Health } from "@understudy/core/Health"
import type { Response } from "@understudy/http/OpenAiRouter"
import type { Route } from "@understudy/http/Route"
import * as Effect from "effect/Effect"
import { contentSecurityPolicy, page } from "./internal/page.ts"
import * as Recent from "./internal/recent.ts"
import { statusOf } from "./internal/status.ts"

export type {
  AlertStatus,
  AttemptStatus,
  BreakerStatus,
  ModelStatus,
  Rates,
  RouteStatus,
  Status,
  TierStatus
} from "./internal/status.ts"

/**
 * @since 0.1.0
 * @category models
 */
export interface StatusPage {
  /** To be told of every event of every run. */
  readonly hear: (requestId: string, event: Attempt.Event) => void
  /** What is to be had by their paths. */
  readonly pages: Readonly<Record<string, () => Effect.Effect<Response>>>
}

/**
 * Makes the pages of a gateway that has just started.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: {
  readonly routes: ReadonlyArray<Route>
  readonly health: Health
  readonly draining: Effect.Effect<boolean>
}): Effect.Effect<StatusPage> =>
  Effect.map(Effect.clock, (clock) => {
    const { routes } = options
    const now = () => new Date(clock.unsafeCurrentTimeMillis())
    const recent = Recent.make(
      routes.flatMap(({ name, tiers }) => tiers.map((tier) => [name, tier.name] as const))
    )
    const status = statusOf({ ...options, recent, startedAt: now() })
    return {
      hear: (requestId, event) => recent.hear(requestId, event, now()),
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
