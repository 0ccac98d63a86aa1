import { clock, many, rate, span } from "../drawing/figures.ts"
import { indented, table } from "../laboratory/words.ts"
import type { Review } from "./summary.ts"

/** The report as a terminal shows it. */
export const text = (review: Review): string => {
  const { alerts, breakers, errors, left_out, lines, models, routes, slices, tiers } = review
  const skipped = [
    lines.synthetic > 0 && `${many(lines.synthetic, "line")} of synthetic checks`,
    lines.foreign > 0 && `${many(lines.foreign, "line")} not ours`,
    lines.broken > 0 && `${many(lines.broken, "line")} broken`,
    left_out > 0 && `${many(left_out, "change")} of breakers and alerts left out`
  ].filter((part) => part !== false)
  if (slices.length === 0) return ["No line of a run.", ...skipped].join(" ")
  const head = `${minute(review.from)} to ${minute(review.to)} UTC, ${many(lines.ours, "line")}${skipped.length === 0 ? "" : `; ${skipped.join(", ")}`}`
  return [
    head,
    section(
      "routes",
      ["", "runs", "success", "fallback", "p50", "p95", "failed", "rejected", "cancelled"],
      routes.map((route) => [
        route.route,
        count(route.runs),
        rate(route.success_rate),
        rate(route.fallback_rate),
        span(route.p50_ms),
        span(route.p95_ms),
        count(route.failure),
        count(route.rejected),
        count(route.cancelled)
      ])
    ),
    section(
      "tiers",
      ["", "due", "success", "p50", "p95", "attempts", "refused", "model"],
      tiers.map((tier) => [
        `${tier.route} / ${tier.tier}`,
        count(tier.due),
        rate(tier.success_rate),
        span(tier.p50_ms),
        span(tier.p95_ms),
        count(tier.attempts),
        count(tier.refused),
        tier.model
      ]),
      [1, 2, 3, 4, 5, 6]
    ),
    section(
      "models",
      ["", "due", "success", "p50", "p95", "p99", "tokens in", "out"],
      models.map((model) => [
        model.model,
        count(model.due),
        rate(model.success_rate),
        span(model.p50_ms),
        span(model.p95_ms),
        span(model.p99_ms),
        count(model.input_tokens),
        count(model.output_tokens)
      ])
    ),
    section(
      "errors",
      ["", "attempts", `over time, ${clock(review.slice_ms * Math.ceil(slices.length / 40))} a bar`],
      errors.map(({ count: seen, error_type }) => [
        error_type,
        count(seen),
        bars(slices.map(({ errors }) => errors[error_type] ?? 0))
      ]),
      [1]
    ),
    section(
      "breakers",
      ["", "opened", "not closed for"],
      breakers.map(({ open_ms, opened, route, tier }) => [
        `${route} / ${tier}`,
        count(opened),
        clock(open_ms)
      ])
    ),
    section(
      "alerts",
      ["", "", ""],
      alerts.map(({ at, firing, route, tier }) => [
        minute(at),
        `${route} / ${tier}`,
        firing ? "fires" : "is over"
      ]),
      []
    )
  ]
    .filter((part) => part !== "")
    .join("\n\n")
}

const section = (
  title: string,
  head: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<string>>,
  right: ReadonlyArray<number> = head.map((_, index) => index).slice(1)
): string =>
  rows.length === 0
    ? ""
    : indented(
        table(
          [[title, ...head.slice(1)], ...rows.map(([name = "", ...cells]) => [`  ${name}`, ...cells])],
          right
        )
      )

const count = (number: number): string => number.toLocaleString("en")

const minute = (instant: string | null): string => (instant ?? "").slice(0, 16).replace("T", " ")

/** At most forty bars, as high as what they stand for. */
const bars = (values: ReadonlyArray<number>): string => {
  const each = Math.ceil(values.length / 40)
  const sums = Array.from({ length: Math.ceil(values.length / each) }, (_, index) =>
    values.slice(index * each, (index + 1) * each).reduce((sum, value) => sum + value, 0)
  )
  const highest = Math.max(...sums)
  return sums.map((sum) => (sum === 0 ? " " : heights[Math.ceil((sum / highest) * 8) - 1])).join("")
}

const heights = "▁▂▃▄▅▆▇█"
