import type { Labels } from "@understudy/core/Attempt"
import type { Family, HistogramPoint } from "../Metrics.ts"
import type { Ledger } from "./ledger.ts"
import { point, seconds } from "./series.ts"

/** All families of a ledger, with this prefix. */
export const families = (ledger: Ledger, prefix: string): ReadonlyArray<Family> => {
  const counter = (name: string, help: string, points: ReadonlyArray<Counted>, unit?: "tokens"): Family => ({
    type: "counter",
    name: `${prefix}_${name}`,
    help,
    unit,
    points
  })
  const durations = (name: string, help: string, points: ReadonlyArray<HistogramPoint>): Family => ({
    type: "histogram",
    name: `${prefix}_${name}_seconds`,
    help,
    unit: "seconds",
    bounds: seconds,
    points
  })
  const runs = [...ledger.runs.values()]
  const { tiers } = ledger
  const requests = runs.flatMap((run) =>
    [...run.served.values()].flatMap(({ entries, name }) =>
      [...entries].map(([outcome, byFallback]) => ({
        labels: { route: run.name, served_by: name, outcome },
        byFallback
      }))
    )
  )
  const attempts = tiers.flatMap((tier) =>
    [...tier.attempts].map(([outcome, errors]) => ({ labels: { ...tier.labels, outcome }, errors }))
  )
  return [
    counter(
      "requests",
      "Runs that have ended.",
      requests.flatMap(({ byFallback, labels }) => each(labels, "fallback", byFallback, ({ count }) => count))
    ),
    durations(
      "request_duration",
      "From the beginning of a run to its end.",
      requests.map(({ byFallback, labels }) => point(labels, [...byFallback.values()]))
    ),
    counter(
      "attempts",
      "Attempts that have ended.",
      attempts.flatMap(({ errors, labels }) => each(labels, "error_type", errors, ({ count }) => count))
    ),
    durations(
      "attempt_duration",
      "From the start of an attempt to its end.",
      attempts.map(({ errors, labels }) => point(labels, [...errors.values()]))
    ),
    durations(
      "time_to_first_token",
      "From the start of an attempt to the first content of its stream.",
      tiers.map(({ firstToken, labels }) => point(labels, [firstToken]))
    ),
    counter(
      "tier_runs",
      "Runs that a tier was due in, and whether it served them.",
      tiers.flatMap(({ labels, missed, served }) => [
        { labels: { ...labels, served: "true" }, value: served },
        { labels: { ...labels, served: "false" }, value: missed }
      ])
    ),
    counter(
      "tokens",
      "Tokens that attempts used up, as far as upstreams have said.",
      tiers.flatMap(({ labels, used }) =>
        ["input", "output"].map((direction) => ({
          labels: { ...labels, direction },
          value: used.get(`${direction}_tokens`)?.value ?? 0
        }))
      ),
      "tokens"
    ),
    counter(
      "fallbacks",
      "Runs served by another tier than their first.",
      tiers.flatMap(({ fallbacks, labels }) => each(labels, "reason", fallbacks, ({ value }) => value))
    ),
    counter(
      "breaker_transitions",
      "Changes of a circuit breaker's state.",
      values(values(runs.map((run) => run.tiers)).map(({ transitions }) => transitions)).map(
        ({ labels, value }) => ({ labels, value })
      )
    )
  ]
}

interface Counted {
  readonly labels: Labels
  readonly value: number
}

/** A point for each entry, labelled by its key. */
const each = <V>(
  labels: Labels,
  name: string,
  entries: ReadonlyMap<string, V>,
  count: (value: V) => number
): ReadonlyArray<Counted> =>
  [...entries].map(([key, value]) => ({ labels: { ...labels, [name]: key }, value: count(value) }))

const values = <V>(maps: ReadonlyArray<ReadonlyMap<string, V>>): ReadonlyArray<V> =>
  maps.flatMap((map) => [...map.values()])
