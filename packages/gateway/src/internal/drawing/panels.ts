import { clock } from "./figures.ts"
import { Html, html } from "./html.ts"
import { type Area, type Axis, area, plot, px, scale } from "./svg.ts"
import { style } from "./theme.ts"

/** What is drawn over the time that all panels of a picture share. */
export interface Panel {
  readonly title: string
  readonly height: number
  readonly draw: (x: (millis: number) => number, area: Area) => Drawing
}

export interface Drawing {
  readonly y: ReadonlyArray<Axis>
  readonly marks: ReadonlyArray<Html>
  readonly legend: ReadonlyArray<readonly [colour: string, text: string]>
}

/** What happened meanwhile, from one moment to another. */
export interface Event {
  readonly from: number
  readonly to: number
  readonly text: string
}

interface Picture {
  readonly title: string
  readonly headline: string
  /** Milliseconds. */
  readonly length: number
  readonly events: ReadonlyArray<Event>
  readonly panels: ReadonlyArray<Panel>
}

const width = 920

/** Panels below each other, with the events shaded in each. */
export const picture = ({ events, headline, length, panels, title }: Picture): Html => {
  const heights = panels.map(({ height }) => height + 34)
  const top = heights.map((_, index) => 74 + heights.slice(0, index).reduce((sum, height) => sum + height, 0))
  const height = 74 + heights.reduce((sum, height) => sum + height, 0)
  const beside = Math.max(150, ...panels.map(({ title }) => 34 + 6 * title.length))
  return html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" class="plot" role="img" aria-label="${title}"><title>${title}</title><rect width="${width}" height="${height}" class="ground"/><text x="14" y="28" class="title">${title}</text><text x="14" y="48">${headline}</text>${panels.map(
    (panel, index) =>
      html`<g transform="translate(0,${top[index]})">${drawn(panel, length, events, beside)}</g>`
  )}</svg>`
}

const drawn = (
  { draw, height, title }: Panel,
  length: number,
  events: ReadonlyArray<Event>,
  beside: number
): Html => {
  const place = area({ width, height })
  const x = scale(0, length, place.left, place.right)
  const { legend, marks, y } = draw(x, place)
  const label = `${title}: ${legend.map(([, text]) => text).join(", ")}`
  const axis = moments(length).map((at) => ({ at: x(at), text: clock(at) }))
  return html`<text x="14" y="4" class="name">${title}</text>${keys(legend, beside)}<g transform="translate(0,8)">${plot(
    { width, height, label, x: axis, y },
    [...events.map((event) => shade(event, x, place)), ...marks]
  )}</g>`
}

const keys = (legend: Drawing["legend"], beside: number): ReadonlyArray<Html> =>
  legend.map(
    ([colour, text], index) =>
      html`<rect x="${beside + index * 128}" y="-5" width="10" height="10" class="${colour} fill"/><text x="${beside + 15 + index * 128}" y="4">${text.length > 18 ? `${text.slice(0, 17)}…` : text}</text>`
  )

const shade = ({ from, text, to }: Event, x: (millis: number) => number, { bottom, top }: Area): Html =>
  html`<rect class="event" x="${px(x(from))}" y="${px(top)}" width="${px(x(to) - x(from))}" height="${px(bottom - top)}"><title>${text}, ${clock(from)} to ${clock(to)}</title></rect>`

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
