import type { Simulation } from "@understudy/core/testing"
import { type Html, html } from "../drawing/html.ts"
import { area, line, plot, scale, ticks } from "../drawing/svg.ts"
import { digits, served } from "./summary.ts"
import { table, time } from "./words.ts"

/** What several policies did under the same script, or one with several values of a parameter. */
export interface Row {
  readonly name: string
  readonly report: Simulation.Report
}

export const comparison = (rows: ReadonlyArray<Row>, what: string): string => {
  const priced = rows.some(({ report }) => report.cost > 0)
  return table(
    [
      [
        what,
        "served",
        "failed",
        "fallback",
        "p50",
        "p95",
        "p99",
        "max",
        "calls a request",
        ...(priced ? ["cost"] : [])
      ],
      ...rows.map(({ name, report }) => {
        const { attempts, cost, endings, latency } = report
        const times = latency === undefined ? [] : [latency.p50, latency.p95, latency.p99, latency.max]
        return [
          name,
          served(report),
          String(endings.failed + endings.unanswered),
          `${Math.round(fallback(report) * 1000) / 10} %`,
          ...(times.length === 0 ? ["–", "–", "–", "–"] : times.map(time)),
          digits(attempts.perRequest),
          ...(priced ? [digits(cost)] : [])
        ]
      })
    ],
    [1, 2, 3, 4, 5, 6, 7, 8, 9]
  )
}

/** The share of the answers that did not come from the first tier. */
const fallback = ({ endings, tiers }: Simulation.Report): number =>
  endings.served === 0 ? 0 : 1 - (tiers[0]?.served ?? 0) / endings.served

const [width, height] = [920, 220]

/** The curve of a sweep: how long answers took and which share there was, over the values. */
export const curve = (rows: ReadonlyArray<Row>, title: string): Html => {
  const place = area({ width, height })
  const x = scale(0, rows.length - 1, place.left, place.right)
  const names = rows.map(({ name }, index) => ({ at: x(index), text: name }))
  const panel = (label: string, y: (value: number) => number, steps: ReadonlyArray<Step>, lines: Lines) =>
    plot({ width, height, label, x: names, y: steps.map(({ text, value }) => ({ at: y(value), text })) }, [
      ...lines.map(([colour, of]) => {
        const points = rows.map(({ report }, index) => {
          const value = of(report)
          return [x(index), value === undefined ? undefined : y(value)] as const
        })
        return html`<path class="${colour} line" d="${line(points)}"/>`
      })
    ])
  const longest = ticks(Math.max(1, ...rows.map(({ report }) => report.latency?.p99 ?? 0)))
  const lost = ticks(Math.max(0.001, ...rows.map(({ report }) => 1 - (report.availability ?? 1))))
  const latencies: Lines = [
    ["s1", ({ latency }) => latency?.p50],
    ["s3", ({ latency }) => latency?.p95],
    ["s2", ({ latency }) => latency?.p99]
  ]
  return html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} 560" width="${width}" height="560" class="plot" role="img" aria-label="${title}"><title>${title}</title><rect width="${width}" height="560" class="ground"/><text x="14" y="28" class="title">${title}</text>${heading(
    66,
    "latency",
    [
      ["s1", "p50"],
      ["s3", "p95"],
      ["s2", "p99"]
    ]
  )}<g transform="translate(0,76)">${panel(
    "latency",
    scale(0, longest.at(-1)!, place.bottom, place.top),
    longest.map((value) => ({ value, text: time(value) })),
    latencies
  )}</g>${heading(318, "not served", [["bad", "share of the requests"]])}<g transform="translate(0,328)">${panel(
    "not served",
    scale(0, lost.at(-1)!, place.bottom, place.top),
    lost.map((value) => ({ value, text: `${digits(value * 100)} %` })),
    [["bad", ({ availability }) => availability && 1 - availability]]
  )}</g></svg>`
}

interface Step {
  readonly value: number
  readonly text: string
}

type Lines = ReadonlyArray<readonly [colour: string, of: (report: Simulation.Report) => number | undefined]>

const heading = (y: number, title: string, legend: ReadonlyArray<readonly [string, string]>): Html =>
  html`<text x="14" y="${y}" class="name">${title}</text>${legend.map(
    ([colour, text], index) =>
      html`<rect x="${300 + index * 90}" y="${y - 9}" width="10" height="10" class="${colour} fill"/><text x="${315 + index * 90}" y="${y}">${text}</text>`
  )}`
