import { compact, many, span } from "../drawing/figures.ts"
import { type Html, html } from "../drawing/html.ts"
import { percent } from "../drawing/percent.ts"
import { area, line, plot, px, scale, stack, ticks } from "../drawing/svg.ts"
import type { Review, SliceReview } from "./summary.ts"

const size = { width: 920, height: 190 }
const place = area(size)

/** What is drawn in one colour. */
interface Series {
  readonly name: string
  readonly of: (slice: SliceReview) => number | undefined
}

const colours = ["s1", "s2", "s3", "s4", "s5", "s6"]

/** A plot with its title and what the colours stand for. */
const figure = (
  title: string,
  note: string,
  kind: "line" | "fill",
  names: ReadonlyArray<string>,
  picture: Html
): Html =>
  html`<figure><figcaption><b>${title}</b> ${note}<span class="keys">${names.map(
    (name, index) =>
      html`<span><svg aria-hidden="true" width="22" height="10"><path class="${kind} ${colours[index]!}" d="${kind === "line" ? "M1 5H21" : "M6 0h10v10h-10z"}"/></svg>${name}</span>`
  )}</span></figcaption>${picture}</figure>`

const minute = 60_000
const apart = [1, 5, 15, 30, 60, 180, 360, 720, 1_440, 2_880, 10_080].map((minutes) => minutes * minute)

/** At most eight round times, in UTC. */
const across = ({ slice_ms, slices }: Review) => {
  const start = Date.parse(slices[0]!.at)
  const end = start + slices.length * slice_ms
  const x = scale(start, end, place.left, place.right)
  const step = apart.find((step) => (end - start) / step <= 8) ?? Math.ceil((end - start) / 8)
  const first = Math.ceil(start / step) * step
  const axis = Array.from({ length: Math.floor((end - first - 1) / step) + 1 }, (_, index) => {
    const at = first + index * step
    const instant = new Date(at).toISOString()
    return { at: x(at), text: at % (1_440 * minute) === 0 ? instant.slice(5, 10) : instant.slice(11, 16) }
  })
  return { x, axis, middle: (slice: SliceReview) => x(Date.parse(slice.at) + slice_ms / 2) }
}

/** A line per series, interrupted where values are missing. */
export const lines = (
  review: Review,
  title: string,
  note: string,
  series: ReadonlyArray<Series>,
  format: "percent" | "span"
): Html => {
  const { axis, middle } = across(review)
  const values = series.flatMap(({ of }) => review.slices.map((slice) => of(slice) ?? 0))
  const steps = format === "percent" ? [0, 0.25, 0.5, 0.75, 1] : ticks(Math.max(1, ...values))
  const y = scale(0, steps.at(-1)!, place.bottom, place.top)
  const marks = series.map(({ of }, index) => {
    const points = review.slices.map((slice) => {
      const value = of(slice)
      return [middle(slice), value === undefined ? undefined : y(value)] as const
    })
    return html`<path class="line ${colours[index]!}" d="${line(points)}"/>`
  })
  const names = series.map(({ name }) => name)
  const written = format === "percent" ? percent : span
  const picture = plot(
    {
      ...size,
      label: `${title}: ${names.join(", ")}`,
      x: axis,
      y: steps.map((step) => ({ at: y(step), text: written(step) }))
    },
    marks
  )
  return figure(title, note, "line", names, picture)
}

/** Bars on top of each other, one for each slice. */
export const stacks = (review: Review, title: string, note: string, series: ReadonlyArray<Series>): Html => {
  const { axis, x } = across(review)
  const highest = Math.max(
    1,
    ...review.slices.map((slice) => series.reduce((sum, { of }) => sum + (of(slice) ?? 0), 0))
  )
  const steps = ticks(highest)
  const y = scale(0, steps.at(-1)!, place.bottom, place.top)
  const columns = review.slices.map(({ at }) => {
    const start = Date.parse(at)
    const [left, right] = [x(start), x(start + review.slice_ms)]
    return [left, right - left > 4 ? right - 1 : right] as const
  })
  const values = series.map(({ of }) => review.slices.map((slice) => of(slice) ?? 0))
  const marks = stack(values, columns, y).map(
    (bars, index) => html`<path class="fill ${colours[index]!}" d="${bars}"/>`
  )
  const names = series.map(({ name }) => name)
  const picture = plot(
    {
      ...size,
      label: `${title}: ${names.join(", ")}`,
      x: axis,
      y: steps.map((step) => ({ at: y(step), text: compact(step) }))
    },
    marks
  )
  return figure(title, note, "fill", names, picture)
}

const row = 22

/** When breakers were not closed, a row for each. */
export const breakers = (review: Review): Html => {
  const { axis, x } = across(review)
  const own = review.breakers
  const height = 34 + row * own.length
  const label = own
    .map(({ opened, route, tier }) => `${route} / ${tier} opened ${many(opened, "time")}`)
    .join(", ")
  const marks = own.map(({ route, spans, tier }, index) => {
    const top = place.top + row * index
    const bars = spans.map(({ from, to }) => {
      const [left, right] = [x(Date.parse(from)), x(Date.parse(to))]
      return html`<path class="fill bad" d="M${px(left)} ${top + 14}v6H${px(Math.max(right, left + 1.5))}v-6z"/>`
    })
    return html`<text x="${place.left}" y="${top + 10}">${route} / ${tier}</text><path class="grid" d="M${place.left} ${top + 20.5}H${place.right}"/>${bars}`
  })
  return figure(
    "Breakers",
    "when they were not closed",
    "fill",
    [],
    plot({ width: size.width, height, label, x: axis, y: [] }, marks)
  )
}

/** The largest of these, and the rest as one. */
export const largest = (
  review: Review,
  of: (slice: SliceReview) => Readonly<Record<string, number>>
): ReadonlyArray<Series> => {
  const sums = new Map<string, number>()
  for (const slice of review.slices) {
    for (const [name, value] of Object.entries(of(slice))) sums.set(name, (sums.get(name) ?? 0) + value)
  }
  const names = [...sums].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).map(([name]) => name)
  const kept = names.length > colours.length ? names.slice(0, colours.length - 1) : names
  const series = kept.map((name): Series => ({ name, of: (slice) => of(slice)[name] }))
  if (kept.length === names.length) return series
  const rest = new Set(names.slice(kept.length))
  const others = (slice: SliceReview) =>
    Object.entries(of(slice)).reduce((sum, [name, value]) => sum + (rest.has(name) ? value : 0), 0)
  return [...series, { name: `${rest.size} others`, of: others }]
}

export const atMost = <A>(all: ReadonlyArray<A>): ReadonlyArray<A> => all.slice(0, colours.length)
