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
const width = 960
const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")

/** A trace as Jaeger's own page draws it: a bar for each span, in the order they began, failed ones in red. */
export const waterfall = (bars: ReadonlyArray<Bar>): string => {
  const begin = Math.min(...bars.map(({ start }) => start))
  const length = Math.max(...bars.map(({ duration, start }) => start + duration)) - begin
  const x = (at: number) => names + ((at - begin) / length) * (width - names - 20)
  const drawn = bars.map(({ depth, duration, failed, name, note, start }, index) => {
    const y = index * row + 14
    const [from, to] = [x(start), x(start + duration)]
    const colour = failed ? "#c0392b" : "#2e7d6b"
    const text = `${(duration / 1000).toFixed(1)} ms  ${note}`
    // Beside the bar on the side that has room.
    const [at, anchor] = to < width * 0.62 ? [to + 6, "start"] : [from - 6, "end"]
    const inside = to - from > width * 0.45
    return [
      `<text x="${12 + depth * 16}" y="${y + 13}" fill="#222">${escaped(name)}</text>`,
      `<rect x="${from.toFixed(1)}" y="${y}" width="${Math.max(2, to - from).toFixed(1)}" height="18" rx="3" fill="${colour}"/>`,
      inside
        ? `<text x="${(from + 8).toFixed(1)}" y="${y + 13}" fill="#fff">${escaped(text)}</text>`
        : `<text x="${at.toFixed(1)}" y="${y + 13}" fill="#555" text-anchor="${anchor}">${escaped(text)}</text>`
    ].join("")
  })
  const height = bars.length * row + 18
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="sans-serif" font-size="12"><title>The spans of a run, as Jaeger has them</title><rect width="${width}" height="${height}" fill="#fff"/>
${drawn.join("\n")}
</svg>
`
}
