import { span } from "./figures.ts"
import { type Html, html } from "./html.ts"
import { px } from "./svg.ts"

/** How things stand, by shape as well as by colour. */
export type Standing = "ok" | "warn" | "bad" | "quiet"

/** A full disc, half a one, a ring that is barred. */
export const glyph = (standing: Standing): Html =>
  html`<svg class="glyph ${standing}" aria-hidden="true" width="13" height="13" viewBox="0 0 13 13"><circle class="under" cx="6.5" cy="6.5" r="6.5"/>${shapes[standing]}</svg>`

const ring = html`<circle class="line" cx="6.5" cy="6.5" r="4.6"/>`

const shapes: Record<Standing, Html> = {
  ok: html`<circle class="fill" cx="6.5" cy="6.5" r="5"/>`,
  warn: html`${ring}<path class="fill" d="M6.5 1.9a4.6 4.6 0 0 1 0 9.2z"/>`,
  bad: html`${ring}<path class="line" d="M3.2 9.8L9.8 3.2"/>`,
  quiet: ring
}

interface Mark {
  readonly outcome: unknown
  readonly latency_ms: unknown
}

const height = 26
const step = 5

/**
 * The last attempts of a tier as bars, the newest at the right, as high as they took long: full for an answer, hollow
 * for a failure, a dot for what counts for neither.
 */
export const strip = (marks: ReadonlyArray<Mark>, slots: number, longest: number): Html => {
  const width = slots * step
  const bars = marks.map(({ latency_ms, outcome }, index) => {
    const x = (slots - marks.length + index) * step
    const standing = standingOf(outcome)
    if (standing === "quiet")
      return html`<circle class="fill quiet" cx="${x + 1.5}" cy="${height - 2.5}" r="1.5"/>`
    const tall = Math.max(2, Math.sqrt(Number(latency_ms) / longest) * (height - 2))
    return standing === "ok"
      ? html`<path class="fill ok" d="M${x} ${height - 1}v${px(-tall)}h3v${px(tall)}z"/>`
      : html`<path class="line bad" d="M${x + 0.5} ${height - 1.5}v${px(1 - tall)}h2v${px(tall - 1)}z"/>`
  })
  return html`<svg class="strip" role="img" aria-label="${said(marks)}" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"><path class="base" d="M0 ${height - 0.5}H${width}"/>${bars}</svg>`
}

export const standingOf = (outcome: unknown): Standing =>
  outcome === "success" ? "ok" : outcome === "failure" || outcome === "timeout" ? "bad" : "quiet"

const said = (marks: ReadonlyArray<Mark>): string => {
  const last = marks.at(-1)
  if (last === undefined) return "no attempts yet"
  const failed = marks.filter(({ outcome }) => standingOf(outcome) === "bad").length
  return `${failed} of the last ${marks.length} attempts failed; the last one: ${last.outcome} in ${span(Number(last.latency_ms))}`
}

/** Where half, 95 % and 99 % of the answers lie: a thick line to the 95, a thin one to the 99. */
export const range = ([p50, p95, p99]: readonly [number, number, number], longest: number): Html => {
  const at = (millis: number) => px(2 + (millis / longest) * 156)
  return html`<svg class="strip" aria-hidden="true" width="160" height="12" viewBox="0 0 160 12"><path class="base" d="M0 11.5H160"/><path class="line s1" d="M${at(p50)} 6H${at(p99)}"/><path class="fill s1" d="M${at(p50)} 4H${at(p95)}V8H${at(p50)}z"/></svg>`
}
