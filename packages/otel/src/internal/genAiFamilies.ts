import * as GenAi from "../GenAi.ts"
import type { Family, HistogramPoint, PointLabels } from "../Metrics.ts"
import { type Ledger, none, type Tier } from "./ledger.ts"
import { type Histogram, point, seconds, tokens } from "./series.ts"

/**
 * The client metrics of OpenTelemetry's conventions. An operation corresponds to one span: all attempts of a run at one
 * tier, including retries.
 */
export const genAiFamilies = (ledger: Ledger, semconv: GenAi.Semconv): ReadonlyArray<Family> => {
  const tiers = ledger.tiers.filter(({ attributes }) => attributes["gen_ai.operation.name"] !== undefined)
  const named = (name: string, make: (name: string) => Family): ReadonlyArray<Family> =>
    GenAi.names(`gen_ai.client.inference.${name}`, semconv).map(make)
  const histogram = (
    name: string,
    help: string,
    unit: "seconds" | "tokens",
    points: ReadonlyArray<HistogramPoint>
  ): ReadonlyArray<Family> =>
    named(name, (name) => ({
      type: "histogram",
      name,
      help,
      unit,
      bounds: unit === "seconds" ? seconds : tokens,
      points
    }))
  const tokensOf = (direction: "input" | "output"): ReadonlyArray<Family> => {
    const points = tiers.map((tier) => point(attributesOf(tier), [tier[direction]]))
    const help = `Tokens of the ${direction} of an operation.`
    return histogram(`operation.${direction}_tokens`, help, "tokens", points).map((family) =>
      family.name.endsWith("token.usage") ? typed(family, direction) : family
    )
  }
  const units = new Set([...always, ...tiers.flatMap(({ used }) => [...used.keys()])])
  return [
    ...histogram("duration", "Duration of an operation.", "seconds", tiers.flatMap(durationsOf)),
    ...histogram(
      "time_to_first_chunk",
      "Time to the first content of a stream.",
      "seconds",
      tiers.flatMap((tier) => streamed(tier, tier.firstToken))
    ),
    ...histogram(
      "time_per_output_chunk",
      "Time from one piece of a stream's content to the next.",
      "seconds",
      tiers.flatMap((tier) => streamed(tier, tier.pace))
    ),
    ...[...units].flatMap((unit) =>
      named(`usage.${unit}`, (name) => ({
        type: "counter",
        name,
        help: `Used: ${unit}.`,
        unit: "tokens",
        points: tiers.flatMap((tier) => {
          const value = tier.used.get(unit)?.value ?? (always.includes(unit) ? 0 : undefined)
          return value === undefined
            ? []
            : [{ labels: { ...attributesOf(tier), "gen_ai.token.modality": "unknown" }, value }]
        })
      }))
    ),
    ...tokensOf("input"),
    ...tokensOf("output")
  ]
}

/** Counted for all operations, as zero if an upstream reports nothing. */
const always = ["input_tokens", "output_tokens"]

const kept = [
  "gen_ai.operation.name",
  "gen_ai.provider.name",
  "gen_ai.request.model",
  "server.address",
  "server.port"
] as const

const attributesOf = ({ attributes, labels }: Tier): PointLabels => {
  const said: Record<string, string | number> = {
    "understudy.route": labels["route"] ?? none,
    "understudy.tier": labels["tier"] ?? none
  }
  for (const name of kept) {
    const value = attributes[name]
    if (typeof value === "string" || typeof value === "number") said[name] = value
  }
  return said
}

/** Empty if nothing was streamed. */
const streamed = (tier: Tier, histogram: Histogram): ReadonlyArray<HistogramPoint> =>
  histogram.count === 0 ? [] : [point(attributesOf(tier), [histogram])]

const durationsOf = (tier: Tier): ReadonlyArray<HistogramPoint> =>
  [...tier.operations].map(([error, histogram]) =>
    point({ ...attributesOf(tier), ...(error !== none && { "error.type": error }) }, [histogram])
  )

/** In 1.41 one metric holds both directions. */
const typed = (family: Family, direction: string): Family =>
  family.type === "histogram"
    ? {
        ...family,
        points: family.points.map((one) => ({
          ...one,
          labels: { ...one.labels, "gen_ai.token.type": direction }
        }))
      }
    : family
