import type { Dashboard } from "@understudy/otel"
import type { Range } from "../../../../test/interop/scraped.ts"
import { clock, compact, span } from "../../src/internal/drawing/figures.ts"
import { type Html, html } from "../../src/internal/drawing/html.ts"
import { type Drawing, type Panel, picture, svgFile } from "../../src/internal/drawing/panels.ts"
import { percent } from "../../src/internal/drawing/percent.ts"
import { type Area, line, px, scale, stack, ticks } from "../../src/internal/drawing/svg.ts"

/** Of a panel what it is drawn by. */
interface Drawn {
  readonly type: string
  readonly targets: readonly [{ readonly legendFormat: string }]
  readonly fieldConfig: {
    readonly defaults: {
      readonly unit: string
      readonly custom?: { readonly stacking?: object }
      readonly mappings: ReadonlyArray<{
        readonly options: Readonly<Record<string, { readonly text: string; readonly color?: string }>>
      }>
    }
  }
}

interface Series {
  readonly name: string
  /** For each second; NaN where there is none. */
  readonly values: ReadonlyArray<number>
}

type X = (millis: number) => number

/** The dashboard with what Prometheus has for each of its panels, a value a second, while an upstream was down. */
export const dashboardPicture = ({
  down,
  panels,
  seconds,
  start,
  window
}: {
  readonly panels: ReadonlyArray<readonly [panel: Dashboard.Panel, ranges: ReadonlyArray<Range>]>
  /** Seconds since 1970, and from then on. */
  readonly start: number
  readonly seconds: number
  /** Milliseconds after the start. */
  readonly down: { readonly upstream: string; readonly from: number; readonly to: number }
  /** Seconds that a rate is over. */
  readonly window: number
}): string => {
  const { from, to, upstream } = down
  const text = `The upstream of ${upstream} says 503 from ${clock(from)} to ${clock(to)}`
  return svgFile(
    picture({
      title: "The dashboard while the first tier of a route was down",
      headline: `${text}, shaded. A real Prometheus scraped every second; rates are over ${window} s.`,
      length: seconds * 1000,
      events: [{ from, to, text }],
      panels: panels.map(([panel, ranges]) => drawnPanel(panel, ranges, { start, seconds }))
    })
  )
}

/** A panel of the dashboard with what Prometheus has for it, a value for each of so many seconds from `start` on. */
const drawnPanel = (
  panel: Dashboard.Panel,
  ranges: ReadonlyArray<Range>,
  { seconds, start }: { readonly start: number; readonly seconds: number }
): Panel => {
  const drawn = panel as unknown as Drawn
  const series = ranges
    .map(({ metric, values }): Series => {
      const at = new Map(values.map(([at, value]) => [Math.round(at - start), Number(value)]))
      return {
        name: drawn.targets[0].legendFormat.replace(/{{(\w+)}}/g, (_, label) => metric[label] ?? ""),
        values: Array.from({ length: seconds }, (_, second) => at.get(second) ?? Number.NaN)
      }
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
  return drawn.type === "state-timeline"
    ? {
        title: panel.title,
        height: 34 + row * series.length,
        draw: (x, area) => states(series, drawn, x, area)
      }
    : { title: panel.title, height: 118, draw: (x, area) => lines(series, drawn, x, area) }
}

const perSecond = (rate: number): string => `${compact(rate)}/s`

const written: Readonly<Record<string, (value: number) => string>> = {
  percentunit: percent,
  s: (seconds) => span(seconds * 1000),
  reqps: perSecond,
  cps: perSecond,
  short: perSecond
}

const lines = (
  series: ReadonlyArray<Series>,
  { fieldConfig: { defaults } }: Drawn,
  x: X,
  { bottom, top }: Area
): Drawing => {
  const stacked = defaults.custom?.stacking !== undefined
  const known = series.map(({ values }) => values.map((value) => (Number.isNaN(value) ? 0 : value)))
  const highest = stacked
    ? Math.max(...(known[0] ?? []).map((_, second) => known.reduce((sum, of) => sum + (of[second] ?? 0), 0)))
    : Math.max(...known.flat())
  const steps = defaults.unit === "percentunit" ? [0, 0.5, 1] : ticks(highest, 3)
  const y = scale(0, steps.at(-1) ?? 0, bottom, top)
  const columns = (known[0] ?? []).map((_, second) => [x(second * 1000), x((second + 1) * 1000)] as const)
  const marks = stacked
    ? stack(known, columns, y).map((bars, index) => html`<path class="${colour(index)} fill" d="${bars}"/>`)
    : series.map(({ values }, index) => {
        const points = values.map(
          (value, second) => [x(second * 1000), Number.isNaN(value) ? undefined : y(value)] as const
        )
        return html`<path class="${colour(index)} line" d="${line(points)}"/>`
      })
  return {
    y: steps.map((step) => ({ at: y(step), text: written[defaults.unit]?.(step) ?? String(step) })),
    marks,
    legend: series.map(({ name }, index) => [colour(index), name])
  }
}

const colour = (index: number): string => `s${(index % 6) + 1}`

const row = 22

const states = (
  series: ReadonlyArray<Series>,
  { fieldConfig: { defaults } }: Drawn,
  x: X,
  { left, top }: Area
): Drawing => {
  const meanings = Object.entries(defaults.mappings[0]?.options ?? {}).map(
    ([value, { color, text }]) => [Number(value), colours[color ?? ""] ?? "quiet", text] as const
  )
  const marks = series.flatMap(({ name, values }, index) => {
    const under = top + row * index + 13
    const bars = meanings.map(([wanted, colour]): Html => {
      const seconds = values.flatMap((value, second) =>
        value === wanted
          ? [`M${px(x(second * 1000))} ${under}V${under + 7}H${px(x((second + 1) * 1000))}V${under}Z`]
          : []
      )
      return html`<path class="${colour} fill" d="${seconds.join("")}"/>`
    })
    return [html`<text x="${left}" y="${under - 3}">${name}</text>`, ...bars]
  })
  return { y: [], marks, legend: meanings.map(([, colour, text]) => [colour, text]) }
}

const colours: Readonly<Record<string, string>> = { green: "ok", yellow: "warn", red: "bad", purple: "s4" }
