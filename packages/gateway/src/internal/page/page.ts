import { createHash } from "node:crypto"
import { many, none, rate, span } from "../drawing/figures.ts"
import { glyph, type Standing } from "../drawing/glyphs.ts"
import { type Html, html, raw } from "../drawing/html.ts"
import { light } from "../drawing/theme.ts"
import type { AlertStatus, RouteStatus, Status } from "../serving/status.ts"
import { script } from "./script.ts"
import { style } from "./style.ts"
import { attemptsTable, checksSection, modelsTable, routeCard } from "./tables.ts"

/**
 * The page: complete without a script or external resources. The script replaces changed parts marked `data-live`.
 */
export const page = (status: Status): string => {
  const { alerts, attempts, models, over_s, policy, probes, routes } = status
  const headline = headlineOf(status)
  const at = status.now.slice(11, 19)
  const news = [
    ...alerts.filter(({ firing }) => firing).map(alertItem),
    ...(policy.refused === null ? [] : [refusedItem(policy.refused)])
  ]
  return `<!doctype html>\n${
    html`<html lang="en"><head><meta charset="utf-8"><title>${headline} Understudy</title><meta name="viewport" content="width=device-width,initial-scale=1"><meta name="color-scheme" content="light dark"><link rel="icon" href="${icon(worst(status))}"><noscript><meta http-equiv="refresh" content="10"></noscript><style>${raw(style)}</style></head>
<body>
<header><h1>Understudy</h1><p>version ${status.version}, since ${status.started_at.slice(0, 16).replace("T", " ")} UTC</p><p id="live">As of ${at} UTC</p></header>
<main>
<p class="lead" role="status" id="headline" data-live>${headline}</p>
<div id="alerts" data-live>${news.length > 0 && html`<ul class="alerts">${news}</ul>`}</div>
<div id="routes" data-live>${routes.map(routeCard)}</div>
<section aria-labelledby="of-models"><h2 id="of-models">Models</h2><div class="card" id="models" data-live>${modelsTable(models)}</div></section>
<div id="checks" data-live>${probes.length > 0 && checksSection(probes)}</div>
<section aria-labelledby="of-attempts"><h2 id="of-attempts">Last attempts</h2><div class="card" id="attempts" data-live>${attemptsTable(attempts)}</div></section>
</main>
<footer><p>Rates and times look back on ${span(over_s * 1000)}. For programs: <a href="status">status</a> and <a href="metrics">metrics</a>.</p></footer>
<script type="module">${raw(script)}</script>
</body></html>`.text
  }\n`
}

const hashOf = (text: string): string => `'sha256-${createHash("sha256").update(text).digest("base64")}'`

/** Allows only the page's own script, style and requests to itself. */
export const contentSecurityPolicy = (): string =>
  [
    "default-src 'none'",
    `script-src ${hashOf(script)}`,
    `style-src ${hashOf(style)}`,
    "connect-src 'self'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'"
  ].join("; ")

const rests = ({ breaker }: RouteStatus["tiers"][number]): boolean =>
  breaker.state === "open" || breaker.state === "isolated"

/** A summary in a sentence or two. It changes only when the state does, since screen readers announce every change. */
const headlineOf = ({ alerts, draining, policy, routes }: Status): string => {
  const firing = alerts.filter(({ firing }) => firing).map(({ route, tier }) => `${tier} of ${route}`)
  return [
    draining && "Draining: no new requests are taken.",
    firing.length > 0 && `Alert on ${list(firing)}.`,
    policy.refused !== null && "A new file was refused.",
    breakersOf(routes)
  ]
    .filter((sentence) => sentence !== false)
    .join(" ")
}

const breakersOf = (routes: ReadonlyArray<RouteStatus>): string => {
  const troubled = routes.filter(({ tiers }) => tiers.some(({ breaker }) => breaker.state !== "closed"))
  const [first, second] = troubled
  if (first === undefined) return "Every breaker is closed."
  if (second === undefined) return sentence(first)
  return troubled.length === 2
    ? `${sentence(first)} ${sentence(second)}`
    : `${sentence(first)} ${many(troubled.length - 1, "more route")} with a breaker that is not closed.`
}

const sentence = ({ route, tiers }: RouteStatus): string => {
  const resting = tiers.filter(rests).map(({ tier }) => tier)
  const probed = tiers.filter(({ breaker }) => breaker.state === "half-open").map(({ tier }) => tier)
  const next = tiers.find((tier) => !rests(tier))
  const parts = [
    resting.length > 0 && `${list(resting)} ${resting.length > 1 ? "are" : "is"} resting`,
    probed.length > 0 && `${list(probed)} ${probed.length > 1 ? "are" : "is"} being probed`,
    next === undefined ? "nobody goes on" : next.breaker.state === "closed" && `${next.tier} goes on`
  ].filter((part) => part !== false)
  return `In ${route} ${parts.join(", ")}.`
}

const list = (names: ReadonlyArray<string>): string =>
  names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`

const worst = ({ alerts, draining, policy, routes }: Status): Standing => {
  if (alerts.some(({ firing }) => firing) || routes.some(({ tiers }) => tiers.every(rests))) return "bad"
  const closed = routes.every(({ tiers }) => tiers.every(({ breaker }) => breaker.state === "closed"))
  return closed && !draining && policy.refused === null ? "ok" : "warn"
}

const icon = (standing: Standing): string =>
  `data:image/svg+xml,${encodeURIComponent(
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="7" fill="${light[standing]}"/></svg>`
  )}`

const alertItem = (alert: AlertStatus): Html =>
  html`<li class="bad">${glyph("bad")}<span><b class="state">Alert</b> ${alert.tier} of ${alert.route} served ${
    alert.success_rate === null ? none : rate(alert.success_rate)
  } of ${many(alert.due, "run")} in ${span(alert.over_s * 1000)}; it fires below ${rate(alert.success_below)} and ends at ${rate((alert.success_below + 1) / 2)}.</span></li>`

const refusedItem = ({ at, reason }: NonNullable<Status["policy"]["refused"]>): Html =>
  html`<li class="warn">${glyph("warn")}<span><b class="state">Refused</b> at ${at.slice(11, 19)} UTC, the file of before is served on: ${reason}</span></li>`
