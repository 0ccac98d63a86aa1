import type { Script, Simulation } from "@understudy/core/testing"
import * as Duration from "effect/Duration"
import { clock } from "../drawing/figures.ts"
import { type Html, html } from "../drawing/html.ts"
import * as panels from "../drawing/panels.ts"
import { line, px, scale, stack, ticks } from "../drawing/svg.ts"
import { latency, served } from "./summary.ts"
import { time } from "./words.ts"

/** A report as one picture: how long answers took, who gave them, and which breakers were open, over the same time. */
export const picture = (report: Simulation.Report, script: Script.Script, title: string): Html =>
  panels.picture({
    title,
    headline: headline(report),
    length: report.for,
    events: events(script, report.for),
    panels: [latencies(report), servedBy(report), breakers(report)]
  })

const headline = (report: Simulation.Report): string =>
  `${report.requests} requests in ${clock(report.for)}, ${served(report)} of them served; ${latency(report)}`

/** When the script had something happen. */
const events = ({ events }: Script.Script, length: number): ReadonlyArray<panels.Event> =>
  events.flatMap((event) => {
    const from = Duration.toMillis(event.at)
    if (from >= length) return []
    const to = Math.min(length, from + (event.for === undefined ? length : Duration.toMillis(event.for)))
    const of = event.of.length === 0 ? "all" : event.of.join(", ")
    return [{ from, to, text: `${what(event)}: ${of}` }]
  })

const what = ({ capacity, every, failures, slower }: Script.Event): string =>
  [
    ...failures.map(({ kind, share }) => `${kind} ${Math.round(share * 100)} %`),
    ...(slower === 1 ? [] : [`${slower} times as slow`]),
    ...(capacity === 1 ? [] : [`${Math.round(capacity * 100)} % of its capacity`]),
    ...(every === undefined ? [] : [`again every ${clock(Duration.toMillis(every))}`])
  ].join(", ")

const latencies = ({ every, timeline }: Simulation.Report): panels.Panel => ({
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

const servedBy = ({ every, tiers, timeline }: Simulation.Report): panels.Panel => ({
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
    const columns = timeline.map(({ at }) => [x(at), x(at + every)] as const)
    const values = layers.map(({ of }) => timeline.map((slice) => of(slice) / seconds))
    const marks = stack(values, columns, y).map(
      (bars, index) => html`<path class="${layers[index]!.colour} fill" d="${bars}"/>`
    )
    return {
      y: steps.map((step) => ({ at: y(step), text: String(step) })),
      marks,
      legend: layers.map(({ colour, text }) => [colour, text] as const)
    }
  }
})

const row = 22

const breakers = ({ alerts, breakers, tiers }: Simulation.Report): panels.Panel => ({
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
