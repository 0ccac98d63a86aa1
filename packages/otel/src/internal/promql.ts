/**
 * The PromQL expressions over any window, shared by the recording rules, the alerts and the dashboard.
 */
export const figures = (window: string) => ({
  modelSuccess: share(
    "model",
    window,
    'understudy_tier_runs_total{served="true"}',
    "understudy_tier_runs_total"
  ),
  modelP95: p95('understudy_attempt_duration_seconds_bucket{outcome="success"}', window),
  modelFirstTokenP95: p95("understudy_time_to_first_token_seconds_bucket", window),
  routeFallback: share(
    "route",
    window,
    'understudy_requests_total{fallback="true"}',
    'understudy_requests_total{served_by!="none"}'
  ),
  routeSuccess: share(
    "route",
    window,
    'understudy_requests_total{outcome="success"}',
    'understudy_requests_total{outcome=~"success|failure"}'
  ),
  modelTokens: `sum by (model, direction) (rate(understudy_tokens_total[${window}]))`,
  servedBy: `sum by (route, served_by) (rate(understudy_requests_total[${window}]))`,
  errors: `sum by (tier, error_type) (rate(understudy_attempts_total{outcome=~"failure|timeout"}[${window}]))`
})

export type Figure = keyof ReturnType<typeof figures>

const share = (by: string, window: string, part: string, whole: string): string =>
  `sum by (${by}) (rate(${part}[${window}])) / sum by (${by}) (rate(${whole}[${window}]))`

const p95 = (buckets: string, window: string): string =>
  `histogram_quantile(0.95, sum by (model, le) (rate(${buckets}[${window}])))`

/** `{name="value"}` in PromQL. Its strings are Go's, which are the same as JSON's here. */
export const matchers = (labels: Readonly<Record<string, string | undefined>>): string =>
  `{${Object.entries(labels)
    .flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${JSON.stringify(value)}`]))
    .join(",")}}`

/** A duration in Prometheus' syntax, which has no fractions and no unit below a millisecond. */
export const duration = (millis: number): string => {
  let left = Math.max(1, Math.round(millis))
  return units
    .map(([unit, length]) => {
      const amount = Math.floor(left / length)
      left -= amount * length
      return amount === 0 ? "" : `${amount}${unit}`
    })
    .join("")
}

const units = [
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000],
  ["ms", 1]
] as const
