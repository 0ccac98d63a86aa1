import { compact, left, many, rate, span } from "../drawing/figures.ts"
import { glyph, range, type Standing, standingOf, strip } from "../drawing/glyphs.ts"
import { type Html, html } from "../drawing/html.ts"
import { kept } from "../serving/recent.ts"
import type {
  AttemptStatus,
  BreakerStatus,
  CheckStatus,
  ModelStatus,
  RouteStatus,
  TierStatus
} from "../serving/status.ts"

export const routeCard = ({ due, fallback_rate, route, success_rate, tiers }: RouteStatus): Html => {
  const longest = Math.max(
    1,
    ...tiers.flatMap(({ recent }) => recent.map(({ latency_ms }) => Number(latency_ms)))
  )
  return html`<section class="route" aria-label="route ${route}"><div class="route-head"><h2 class="name">${route}</h2><dl class="figures">${[
    ["runs", due.toLocaleString("en")],
    ["success", rate(success_rate)],
    ["fallback", rate(fallback_rate)]
  ].map(([term = "", figure]) => html`<div><dt>${term}</dt><dd>${figure}</dd></div>`)}</dl></div>
<table class="ladder"><thead><tr><th scope="col">tier</th><th scope="col" class="breaker">breaker</th><th scope="col" class="n">success</th><th scope="col" class="n">p50</th><th scope="col" class="n">p95</th><th scope="col" class="n">served</th><th scope="col" class="wide">last ${kept} attempts</th></tr></thead><tbody>${tiers.map(
    (tier) => tierRow(tier, longest)
  )}</tbody></table></section>\n`
}

/**
 * Not in a template, which the bundler keeps as it is: one non-ASCII character would slow down V8's parsing of the
 * bundle.
 */
const joined = (...words: ReadonlyArray<string>): string => words.join(" · ")

const tierRow = (status: TierStatus, longest: number): Html => {
  const { breaker, model, p50_ms, p95_ms, provider, recent, served_share, success_rate, tier } = status
  const standing = standings[breaker.state]
  const note = breakerNote(breaker)
  return html`<tr><td>${glyph(standing)}<span class="name">${tier}</span><small>${joined(model, provider)}</small></td><td class="state ${standing}">${breaker.state}${note !== undefined && html`<small>${note}</small>`}</td>${[
    figure("success", rate(success_rate)),
    figure("p50", span(p50_ms)),
    figure("p95", span(p95_ms)),
    figure("served", rate(served_share))
  ]}<td class="wide">${strip(recent, kept, longest)}</td></tr>`
}

const standings: Record<BreakerStatus["state"], Standing> = {
  closed: "ok",
  "half-open": "warn",
  open: "bad",
  isolated: "quiet"
}

const breakerNote = ({ failures, reason, retry_in_ms, state }: BreakerStatus): Html | undefined => {
  if (retry_in_ms !== null) {
    return html`probe <time data-in="${retry_in_ms}">${left(retry_in_ms)}</time>${reason !== null && ` · ${reasons[reason]}`}`
  }
  if (state === "half-open") return html`a probe decides`
  return failures !== null && failures > 0 ? html`${many(failures, "failure")} in a row` : undefined
}

const reasons: Record<NonNullable<BreakerStatus["reason"]>, string> = {
  consecutive: "failures in a row",
  rate: "too many failures",
  slow: "too slow",
  pushback: "asked to wait",
  probe: "the last one failed",
  lease: "the last one was lost",
  tripped: "its credential failed elsewhere",
  elapsed: "its time was over",
  recovered: "it had recovered",
  isolated: "by hand",
  released: "by hand",
  reset: "by hand",
  retired: "it was another one"
}

const figure = (of: string, text: string): Html => html`<td class="n" data-of="${of}">${text}</td>`

export const modelsTable = (models: ReadonlyArray<ModelStatus>): Html => {
  const longest = Math.max(1, ...models.map(({ p99_ms }) => p99_ms ?? 0))
  return html`<table class="models"><thead><tr><th scope="col">model</th><th scope="col" class="n">runs</th><th scope="col" class="n">success</th><th scope="col" class="n">fallback</th><th scope="col" class="n">p50</th><th scope="col" class="n">p95</th><th scope="col" class="n">p99</th><th scope="col" class="n">tokens in</th><th scope="col" class="n">out</th><th scope="col" class="wide">p50 to p95 to p99</th></tr></thead><tbody>${models.map(
    ({ due, fallback_rate, input_tokens, model, output_tokens, p50_ms, p95_ms, p99_ms, success_rate }) =>
      html`<tr><td class="name">${model}</td>${[
        figure("runs", due.toLocaleString("en")),
        figure("success", rate(success_rate)),
        figure("fallback", rate(fallback_rate)),
        figure("p50", span(p50_ms)),
        figure("p95", span(p95_ms)),
        figure("p99", span(p99_ms)),
        figure("tokens in", compact(input_tokens)),
        figure("out", compact(output_tokens))
      ]}<td class="wide">${p50_ms !== null && p95_ms !== null && p99_ms !== null && range([p50_ms, p95_ms, p99_ms], longest)}</td></tr>`
  )}</tbody></table>`
}

export const checksSection = (probes: ReadonlyArray<CheckStatus>): Html =>
  html`<section aria-labelledby="of-checks"><h2 id="of-checks">Synthetic checks</h2><div class="card"><table class="models checks"><thead><tr><th scope="col">route / tier</th><th scope="col" class="last">last one</th><th scope="col" class="n">checks</th><th scope="col" class="n">success</th><th scope="col" class="n">p50</th><th scope="col" class="n">p95</th></tr></thead><tbody>${probes.map(
    checkRow
  )}</tbody></table></div></section>`

const checkRow = (probe: CheckStatus): Html => {
  const { due, over_s, p50_ms, p95_ms, success_rate, timestamp } = probe
  const text = (field: string): string => String(probe[field] ?? "")
  const outcome = text("outcome") || "refused"
  const standing = standingOf(outcome)
  const why = standing === "bad" ? ` · ${`${text("status")} ${text("error_type")}`.trim()}` : ""
  return html`<tr><td class="name">${text("route")} / ${text("tier")}<small>${joined(text("model"), text("provider"))}</small></td><td class="last"><span class="outcome ${standing}">${glyph(standing)}${outcome}</span><small><time datetime="${timestamp}">${timestamp.slice(11, 19)}</time>${why}</small></td>${[
    figure("checks", `${due.toLocaleString("en")} in ${span(over_s * 1000)}`),
    figure("success", rate(success_rate)),
    figure("p50", span(p50_ms)),
    figure("p95", span(p95_ms))
  ]}</tr>`
}

/** About one screen. */
const listed = 20

export const attemptsTable = (attempts: ReadonlyArray<AttemptStatus>): Html =>
  attempts.length === 0
    ? html`<p>None yet.</p>`
    : html`<table class="attempts"><thead><tr><th scope="col">UTC</th><th scope="col">route / tier</th><th scope="col">model</th><th scope="col" class="n">try</th><th scope="col">outcome</th><th scope="col">why</th><th scope="col" class="n">took</th><th scope="col">request</th></tr></thead><tbody>${attempts
        .slice(0, listed)
        .map(attemptRow)}</tbody></table>`

const attemptRow = (attempt: AttemptStatus): Html => {
  const text = (field: string): string => String(attempt[field] ?? "")
  const standing = standingOf(attempt["outcome"])
  const why = standing === "ok" ? "" : `${text("status")} ${text("error_type")}`.trim()
  return html`<tr><td><time datetime="${attempt.timestamp}">${attempt.timestamp.slice(11, 19)}</time></td><td>${text("route")} / ${text("tier")}</td><td>${text("model")}</td><td class="n" data-of="try">${text("attempt")}</td><td><span class="outcome ${standing}">${glyph(standing)}${text("outcome")}</span></td><td class="why">${why}</td><td class="n">${span(Number(attempt["latency_ms"]))}</td><td><code>${text("request_id")}</code></td></tr>`
}
