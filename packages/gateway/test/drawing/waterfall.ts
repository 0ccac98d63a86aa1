import { html } from "../../src/internal/drawing/html.ts"
import { svgFile } from "../../src/internal/drawing/panels.ts"
import { px } from "../../src/internal/drawing/svg.ts"

/** A span as a picture shows it; times in microseconds. */
export interface Bar {
  readonly name: string
  readonly depth: number
  readonly start: number
  readonly duration: number
  readonly failed: boolean
  readonly note: string
}

const row = 28
const names = 250
const width = 920

/** A trace as Jaeger's own page draws it: a bar for each span, in the order they began, failed ones in red. */
export const waterfall = (bars: ReadonlyArray<Bar>): string => {
  const begin = Math.min(...bars.map(({ start }) => start))
  const length = Math.max(...bars.map(({ duration, start }) => start + duration)) - begin
  const x = (at: number) => names + ((at - begin) / length) * (width - names - 20)
  const drawn = bars.map(({ depth, duration, failed, name, note, start }, index) => {
    const y = index * row + 14
    const [from, to] = [x(start), x(start + duration)]
    const text = `${(duration / 1000).toFixed(1)} ms  ${note}`
    // Beside the bar on the side that has room.
    const [at, anchor] = to < width * 0.62 ? [to + 6, "start"] : [from - 6, "end"]
    const inside = to - from > width * 0.45
    return html`<text x="${12 + depth * 16}" y="${y + 13}" class="name">${name}</text><rect x="${px(from)}" y="${y}" width="${px(Math.max(2, to - from))}" height="18" rx="3" class="${failed ? "bad" : "ok"} fill"/>${
      inside
        ? html`<text x="${px(from + 8)}" y="${y + 13}" style="fill:var(--surface)">${text}</text>`
        : html`<text x="${px(at)}" y="${y + 13}" text-anchor="${anchor}">${text}</text>`
    }`
  })
  const height = bars.length * row + 18
  const title = "The spans of a run, as Jaeger has them"
  return svgFile(
    html`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" class="plot" role="img" aria-label="${title}"><title>${title}</title><rect width="${width}" height="${height}" class="ground"/>${drawn}</svg>`
  )
}
