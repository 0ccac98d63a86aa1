import * as Duration from "effect/Duration"
import type { Load } from "../../testing/Script.ts"
import { Draws } from "./draws.ts"

/** A rate up to an instant. */
interface Stretch {
  readonly until: number
  readonly rate: number
}

/**
 * The arrival times of requests, in milliseconds. Each is one expected request after the one before, or an
 * exponentially drawn number of them, across all rates in between.
 */
export function* arrivals(load: Load, until: number, seed: number): Generator<number, void> {
  const draws = new Draws(seed, -1)
  const wait = () => (load.arrivals === "even" ? 1 : -Math.log(1 - draws.next()))
  const stretches = stretchesOf(load, until)
  let at = 0
  // With even arrivals, the first one comes at once.
  let owed = load.arrivals === "even" ? 0 : wait()
  for (const { rate, until } of stretches) {
    const perMilli = rate / 1000
    while (at + owed / perMilli < until) {
      at += owed / perMilli
      yield at
      owed = wait()
    }
    owed -= (until - at) * perMilli
    at = until
  }
}

/** The successive rates; of overlapping bursts, the later in the list wins. */
const stretchesOf = ({ bursts, rate }: Load, end: number): ReadonlyArray<Stretch> => {
  const spans = bursts.map((burst) => {
    const from = Duration.toMillis(burst.at)
    return { from, until: from + Duration.toMillis(burst.for), rate: burst.rate }
  })
  const edges = [...new Set([...spans.flatMap(({ from, until }) => [from, until]), end])]
    .filter((edge) => edge > 0 && edge <= end)
    .sort((one, other) => one - other)
  return edges.map((until, index) => {
    const from = edges[index - 1] ?? 0
    const burst = spans.findLast((span) => span.from <= from && span.until > from)
    return { until, rate: burst?.rate ?? rate }
  })
}
