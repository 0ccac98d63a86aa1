import type { Script, Simulation } from "@understudy/core/testing"
import * as Duration from "effect/Duration"
import { Html, html } from "../drawing/html.ts"
import { type Area, area, line, plot, px, scale, ticks } from "../drawing/svg.ts"
import { style } from "../drawing/theme.ts"
import { latency, served } from "./summary.ts"
import { clock, time } from "./words.ts"

const width = 920

interface Panel {
  readonly title: string
  readonly height: number
  readonly draw: (x: (millis: number) => number, area: Area) => Drawing
}

interface Drawing {
  readonly y: ReadonlyArray<{ readonly at: number; readonly text: string }>
  readonly marks: ReadonlyArray<Html>
  readonly legend: ReadonlyArray<readonly [colour: string, text: string]>
}

/** A report as one picture: how long answers took, who gave them, and which breakers were open, over the same time. */
export const picture = (report: Simulation.Report, script: Script.Script, title: string): Html => {
  const panels = [latencies(report), servedBy(report), breakers(report)]
  const heights = panels.map(({ height }) => height + 34)
  const top = heights.map((_, index) => 74 + heights.slice(0, index).reduce((sum, height) => sum + height, 0))
  const height = 74 + heights.reduce((sum, height) => sum + height, 0)
  return html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" class="plot" role="img" aria-label="${title}"><title>${title}</title><rect width="${width}" height="${height}" class="ground"/><text x="14" y="28" class="title">${title}</text><text x="14" y="48">${headline(report)}</text>${panels.map(
    (panel, index) => html`<g transform="translate(0,${top[index]})">${drawn(panel, report, script)}</g>`
  )}</svg>`
}

const headline = (report: Simulation.Report): string =>
  `${report.requests} requests in ${clock(report.for)}, ${served(report)} of them served; ${latency(report)}`

const drawn = ({ draw, height, title }: Panel, report: Simulation.Report, script: Script.Script): Html => {
  const place = area({ width, height })
  const x = scale(0, report.for, place.left, place.right)
  const { legend, marks, y } = draw(x, place)
  const label = `${title}: ${legend.map(([, text]) => text).join(", ")}`
  const axis = moments(report.for).map((at) => ({ at: x(at), text: clock(at) }))
  return html`<text x="14" y="4" class="name">${title}</text>${keys(legend)}<g transform="translate(0,8)">${plot(
    { width, height, label, x: axis, y },
    [...shades(script, report.for, x, place), ...marks]
  )}</g>`
}

const keys = (legend: Drawing["legend"]): ReadonlyArray<Html> =>
  legend.map(
    ([colour, text], index) =>
      html`<rect x="${150 + index * 128}" y="-5" width="10" height="10" class="${colour} fill"/><text x="${165 + index * 128}" y="4">${text.length > 18 ? `${text.slice(0, 17)}…` : text}</text>`
  )

/** When the script had something happen. */
const shades = (
  { events }: Script.Script,
  length: number,
  x: (millis: number) => number,
  { bottom, top }: Area
): ReadonlyArray<Html> =>
  events.flatMap((event) => {
    const at = Duration.toMillis(event.at)
    if (at >= length) return []
    const end = Math.min(length, at + (event.for === undefined ? length : Duration.toMillis(event.for)))
    const of = event.of.length === 0 ? "all" : event.of.join(", ")
    return [
      html`<rect class="event" x="${px(x(at))}" y="${px(top)}" width="${px(x(end) - x(at))}" height="${px(bottom - top)}"><title>${what(event)}: ${of}, ${clock(at)} to ${clock(end)}</title></rect>`
    ]
  })

const what = ({ capacity, every, failures, slower }: Script.Event): string =>
  [
    ...failures.map(({ kind, share }) => `${kind} ${Math.round(share * 100)} %`),
    ...(slower === 1 ? [] : [`${slower} times as slow`]),
    ...(capacity === 1 ? [] : [`${Math.round(capacity * 100)} % of its capacity`]),
    ...(every === undefined ? [] : [`again every ${clock(Duration.toMillis(every))}`])
  ].join(", ")

const latencies = ({ every, timeline }: Simulation.Report): Panel => ({
  title: "latency",
  height: 190,
  draw: (x, { bottom, top }) => {
    const steps = ticks(Math.max(1, ...timeline.map(({ latency }) => latency?.p99 ?? 0)))
    const y = scale(0, steps.at(-1)!, bottom, top)
    const points = (name: "p50" | "p95" | "p99") =>
      timeline.map(({ at, latency }) => [x(at + every / 2), latency && y(latency[name])] as const)
    const band = runs(timeline, ({ latency }) => latency !== undefined).map((slices) => {
      const along = (name: "p50" | "p95") =>
        slices.map(({ at, latency }) => `${px(x(at + every / 2))} ${px(y(latency?.[name] ?? 0))}`)
      return html`<path class="s1 fill band" d="M${[...along("p95"), ...along("p50").reverse()].join("L")}Z"/>`
    })
    return {
      y: steps.map((step) => ({ at: y(step), text: time(step) })),
      marks: [
        ...band,
        html`<path class="s1 line" d="${line(points("p50"))}"/>`,
        html`<path class="s2 line" d="${line(points("p99"))}"/>`
      ],
      legend: [
        ["s1", "p50, up to p95"],
        ["s2", "p99"]
      ]
    }
  }
})

/** The stretches of slices that have something. */
const runs = (
  timeline: ReadonlyArray<Simulation.Slice>,
  has: (slice: Simulation.Slice) => boolean
): ReadonlyArray<ReadonlyArray<Simulation.Slice>> => {
  const found: Array<Array<Simulation.Slice>> = [[]]
  for (const slice of timeline) {
    if (has(slice)) found.at(-1)!.push(slice)
    else found.push([])
  }
  return found.filter((slices) => slices.length > 0)
}

const servedBy = ({ every, tiers, timeline }: Simulation.Report): Panel => ({
  title: "answers a second",
  height: 190,
  draw: (x, { bottom, top }) => {
    const seconds = every / 1_000
    const lost = (slice: Simulation.Slice) => slice.endings.failed + slice.endings.unanswered
    const layers = [
      ...tiers.map(({ tier }, index) => ({
        colour: `s${(index % 6) + 1}`,
        text: tier,
        of: (slice: Simulation.Slice) => slice.servedBy[tier] ?? 0
      })),
      { colour: "bad", text: "nobody", of: lost }
    ]
    const total = (slice: Simulation.Slice) => layers.reduce((sum, { of }) => sum + of(slice), 0)
    const steps = ticks(Math.max(1e-9, ...timeline.map((slice) => total(slice) / seconds)))
    const y = scale(0, steps.at(-1)!, bottom, top)
    const heights = timeline.map(() => 0)
    const marks = layers.map(({ colour, of }) => {
      const bars = timeline.map((slice, index) => {
        const from = heights[index]!
        const to = from + of(slice) / seconds
        heights[index] = to
        const [left, right] = [px(x(slice.at)), px(x(slice.at + every))]
        return to === from ? "" : `M${left} ${px(y(from))}V${px(y(to))}H${right}V${px(y(from))}Z`
      })
      return html`<path class="${colour} fill" d="${bars.join("")}"/>`
    })
    return {
      y: steps.map((step) => ({ at: y(step), text: String(step) })),
      marks,
      legend: layers.map(({ colour, text }) => [colour, text] as const)
    }
  }
})

const row = 22

const breakers = ({ alerts, breakers, tiers }: Simulation.Report): Panel => ({
  title: "breakers",
  height: 34 + row * tiers.length,
  draw: (x, { left, right, top }) => {
    const middle = (tier: string) => top + row * (tiers.findIndex((each) => each.tier === tier) + 0.5)
    const bar = (colour: string, { from, tier, until }: Simulation.Span, height: number, text: string) =>
      html`<rect class="${colour} fill" x="${px(x(from))}" y="${px(middle(tier) - height / 2)}" width="${px(Math.max(1, Math.min(right, x(until)) - x(from)))}" height="${height}"><title>${text}, ${clock(from)} to ${clock(until)}</title></rect>`
    return {
      y: [],
      marks: [
        ...tiers.map(
          ({ tier }) =>
            html`<path class="grid" d="M${px(left)} ${px(middle(tier))}H${px(right)}"/><text x="${px(left - 6)}" y="${px(middle(tier) + 4)}" text-anchor="end">${tier.length > 8 ? `${tier.slice(0, 7)}…` : tier}</text>`
        ),
        ...alerts.map((span) => bar("s2", span, 16, `alert on ${span.tier}`)),
        ...breakers.map((span) =>
          bar(span.state === "half-open" ? "warn" : "bad", span, 8, `${span.tier} ${span.state}`)
        )
      ],
      legend: [
        ["bad", "open"],
        ["warn", "half-open"],
        ...(alerts.length === 0 ? [] : ([["s2", "alert"]] as const))
      ]
    }
  }
})

/** Round moments, at most twelve. */
const moments = (length: number): ReadonlyArray<number> => {
  const nice = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400]
  const step = (nice.find((seconds) => length / (seconds * 1_000) <= 12) ?? 604_800) * 1_000
  return Array.from({ length: Math.floor(length / step) + 1 }, (_, index) => index * step)
}

const own = `.plot .title{font-size:16px;font-weight:600;fill:var(--ink)}.plot .name{font-weight:600;fill:var(--ink)}
.plot .ground{fill:var(--surface)}.plot .event{fill:var(--quiet);opacity:.13}.plot .band{opacity:.25}`

/** The picture as a file of its own. */
export const svgFile = (picture: Html): string =>
  picture.text.replace("</title>", `</title><style>${style}${own}</style>`).concat("\n")

/** The picture in a page, with what the terminal says below it. */
export const page = (picture: Html, title: string, text: string): string => {
  const css = new Html(
    `${style}${own}\nbody{margin:2rem;background:var(--ground);color:var(--ink)}svg{max-width:100%;height:auto}`
  )
  return html`<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title><style>${css}</style></head><body>${picture}<pre>${text}</pre></body></html>
`.text
}
