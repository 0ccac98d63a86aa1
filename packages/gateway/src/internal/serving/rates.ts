import type * as Health from "@understudy/core/Health"
import * as Duration from "effect/Duration"

/**
 * As `Health.Stats` explains them.
 *
 * @since 0.1.0
 * @category models
 */
export interface Rates {
  readonly due: number
  readonly served: number
  readonly success_rate: number | null
  readonly fallbacks: number
  readonly fallback_rate: number | null
}

export interface Latencies {
  readonly p50_ms: number | null
  readonly p95_ms: number | null
  readonly p99_ms: number | null
}

export const rates = (known: Omit<Health.Stats, "latency"> | undefined): Rates => ({
  due: known?.due ?? 0,
  served: known?.served ?? 0,
  success_rate: known?.successRate ?? null,
  fallbacks: known?.fallbacks ?? 0,
  fallback_rate: known?.fallbackRate ?? null
})

export const latencies = (known: Health.Latency | undefined): Latencies => ({
  p50_ms: ms(known?.p50),
  p95_ms: ms(known?.p95),
  p99_ms: ms(known?.p99)
})

export const stats = (known: Health.Stats | undefined): Rates & Latencies => ({
  ...rates(known),
  ...latencies(known?.latency)
})

const ms = (duration: Duration.Duration | undefined): number | null =>
  duration === undefined ? null : Math.round(Duration.toMillis(duration) * 10) / 10
