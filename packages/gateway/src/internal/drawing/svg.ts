/**
 * Plots as SVG, for whatever the program draws. The same data give the same text. Colours are the classes `s1` to
 * `s6`, `ok`, `warn` and `bad` of `theme.ts`.
 */
import { type Html, html } from "./html.ts"

/** From the values between `from` and `to` to the points between `start` and `end`. */
export const scale =
  (from: number, to: number, start: number, end: number) =>
  (value: number): number =>
    to === from ? start : start + ((value - from) / (to - from)) * (end - start)

/** Round numbers from 0 up to `max` and at most one step above: 1, 2 or 5 times a power of ten apart. */
export const ticks = (max: number, steps = 4): ReadonlyArray<number> => {
  if (!(max > 0)) return [0]
  const power = 10 ** Math.floor(Math.log10(max / steps))
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((step) => max / step <= steps)!
  return Array.from({ length: Math.ceil(max / step - 1e-9) + 1 }, (_, index) => round(index * step, 1e9))
}

/** A line through points, interrupted where a value is missing; a point alone is a dot with round caps. */
export const line = (points: ReadonlyArray<readonly [x: number, y: number | undefined]>): string => {
  let pen = "M"
  return points
    .map(([x, y], index) => {
      if (y === undefined) {
        pen = "M"
        return ""
      }
      const alone = pen === "M" && points[index + 1]?.[1] === undefined
      const text = `${pen}${px(x)} ${px(y)}${alone ? "h0" : ""}`
      pen = "L"
      return text
    })
    .join("")
}

/**
 * Columns on top of each other, a path for each layer. `columns` say from where to where each column goes, and `layers` what
 * each layer has in it.
 */
export const stack = (
  layers: ReadonlyArray<ReadonlyArray<number>>,
  columns: ReadonlyArray<readonly [left: number, right: number]>,
  y: (value: number) => number
): ReadonlyArray<string> => {
  const heights = columns.map(() => 0)
  return layers.map((values) =>
    columns
      .map(([left, right], index) => {
        const from = heights[index]!
        const to = from + (values[index] ?? 0)
        heights[index] = to
        return to === from ? "" : `M${px(left)} ${px(y(from))}V${px(y(to))}H${px(right)}V${px(y(from))}Z`
      })
      .join("")
  )
}

/** A length as it is written: a tenth of a pixel is as fine as anybody sees. */
export const px = (length: number): string => String(round(length, 10) + 0)

const round = (value: number, parts: number): number => Math.round(value * parts) / parts

export interface Axis {
  readonly at: number
  readonly text: string
}

/** The place that a plot leaves for what is drawn into it. */
export interface Area {
  readonly left: number
  readonly right: number
  readonly top: number
  readonly bottom: number
}

/**
 * A plot with its axes: `x` and `y` say what is written where, in points of the area that `area` gives. `label` is
 * what a screen reader says in its place.
 */
export const plot = (
  {
    height,
    label,
    width,
    x,
    y
  }: Size & {
    readonly label: string
    readonly x: ReadonlyArray<Axis>
    readonly y: ReadonlyArray<Axis>
  },
  marks: Html | ReadonlyArray<Html>
): Html => {
  const { bottom, left, right } = area({ height, width })
  return html`<svg xmlns="http://www.w3.org/2000/svg" class="plot" role="img" aria-label="${label}" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">${y.map(
    ({ at, text }) =>
      html`<path class="grid" d="M${px(left)} ${px(at)}H${px(right)}"/><text x="${px(left - 6)}" y="${px(at + 4)}" text-anchor="end">${text}</text>`
  )}${x.map(({ at, text }) => html`<text x="${px(at)}" y="${px(bottom + 16)}" text-anchor="middle">${text}</text>`)}${marks}</svg>`
}

interface Size {
  readonly width: number
  readonly height: number
}

export const area = ({ height, width }: Size): Area => ({
  left: 52,
  right: width - 14,
  top: 10,
  bottom: height - 24
})
