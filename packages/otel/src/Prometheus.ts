/**
 * The text format that Prometheus scrapes.
 *
 * @since 0.1.0
 */
import type { Exemplar, Family, HistogramPoint, PointLabels } from "./Metrics.ts"

/**
 * OpenMetrics 1.0, with exemplars, or Prometheus' own text format 0.0.4, which every version supports.
 *
 * @since 0.1.0
 * @category models
 */
export type Format = "openmetrics" | "text"

/**
 * The content type of each format.
 *
 * @example
 * import { Prometheus } from "@understudy/otel"
 *
 * console.log(Prometheus.contentType.text) // => text/plain; version=0.0.4; charset=utf-8
 *
 * @since 0.1.0
 * @category rendering
 */
export const contentType: Readonly<Record<Format, string>> = {
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
  text: "text/plain; version=0.0.4; charset=utf-8"
}

/**
 * Negotiates the format from a scraper's `Accept`: OpenMetrics if it is preferred at least as much as plain text.
 *
 * @example
 * import { Prometheus } from "@understudy/otel"
 *
 * console.log(Prometheus.negotiate("application/openmetrics-text;version=1.0.0;q=0.8,text/plain;q=0.5")) // => openmetrics
 * console.log(Prometheus.negotiate("*\/*")) // => text
 *
 * @since 0.1.0
 * @category rendering
 */
export const negotiate = (accept: string | undefined): Format => {
  const wanted = (type: string): number => {
    const range = (accept ?? "").split(",").find((range) => range.trim().toLowerCase().startsWith(type))
    const [, weight = "1"] = /;\s*q=([\d.]+)/i.exec(range ?? "") ?? []
    return range === undefined ? 0 : Number(weight)
  }
  const openMetrics = wanted("application/openmetrics-text")
  return openMetrics > 0 && openMetrics >= wanted("text/plain") ? "openmetrics" : "text"
}

/**
 * Renders families, whose names must be unique, in the given order.
 *
 * @example
 * import { Prometheus } from "@understudy/otel"
 *
 * const points = [{ labels: { route: "chat" }, value: 3 }]
 * const text = Prometheus.render([{ type: "counter", name: "understudy_requests", help: "Runs.", points }], "openmetrics")
 *
 * console.log(text.split("\n")[2]) // => understudy_requests_total{route="chat"} 3
 *
 * @since 0.1.0
 * @category rendering
 */
export const render = (families: ReadonlyArray<Family>, format: Format): string => {
  const lines = families
    .filter(({ points }) => points.length > 0)
    .flatMap((family) => linesOf(family, format))
  if (format === "openmetrics") lines.push("# EOF")
  return `${lines.join("\n")}\n`
}

const linesOf = (family: Family, format: Format): ReadonlyArray<string> => {
  const { help, name, type } = family
  // The older format uses the sample's name for a counter.
  const named = type === "counter" && format === "text" ? `${name}_total` : name
  const head = [`# HELP ${named} ${escaped(help)}`, `# TYPE ${named} ${type}`]
  if (type !== "histogram") {
    const sample = type === "counter" ? `${name}_total` : name
    return [...head, ...family.points.map(({ labels, value }) => `${sample}${labelled(labels)} ${value}`)]
  }
  const unit = format === "openmetrics" ? [`# UNIT ${name} ${family.unit}`] : []
  const { bounds, points } = family
  return [...head, ...unit, ...points.flatMap((point) => bucketsOf(name, bounds, point, format))]
}

const bucketsOf = (
  name: string,
  bounds: ReadonlyArray<number>,
  { counts, exemplars, labels, sum }: HistogramPoint,
  format: Format
): ReadonlyArray<string> => {
  let count = 0
  const buckets = counts.map((more, index) => {
    count += more
    const exemplar = format === "openmetrics" ? exemplars[index] : undefined
    const le = String(bounds[index] ?? "+Inf")
    return `${name}_bucket${labelled({ ...labels, le })} ${count}${exemplar === undefined ? "" : shown(exemplar)}`
  })
  return [...buckets, `${name}_sum${labelled(labels)} ${sum}`, `${name}_count${labelled(labels)} ${count}`]
}

const shown = ({ at, span, value }: Exemplar): string =>
  ` # ${labelled({ trace_id: span.traceId, span_id: span.spanId })} ${value} ${at / 1000}`

const labelled = (labels: PointLabels): string =>
  `{${Object.entries(labels)
    .map(([name, value]) => `${name}="${escaped(String(value)).replaceAll('"', '\\"')}"`)
    .join()}}`

const escaped = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")
