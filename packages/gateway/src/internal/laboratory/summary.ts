import type { Simulation } from "@understudy/core/testing"
import { clock, many } from "../drawing/figures.ts"
import { percent } from "../drawing/percent.ts"
import { indented, table, time } from "./words.ts"

/** What a report says, for a terminal. */
export const summary = (report: Simulation.Report, title: string): string =>
  [
    `${title}\n${clock(report.for)}, ${report.requests} requests, seed ${report.seed}`,
    indented(table(facts(report))),
    indented(table(tiers(report), [1, 2, 3, 5])),
    ...(report.alerts.length === 0 ? [] : [indented(alerts(report))])
  ].join("\n\n")

/** The share that was served, rounded down, so that it is 100 % only if all were. */
export const served = ({ availability }: Simulation.Report): string =>
  availability === undefined ? "–" : `${Math.floor(availability * 1e4 + 1e-9) / 100} %`

export const latency = ({ latency }: Simulation.Tally): string =>
  latency === undefined
    ? "–"
    : (["p50", "p95", "p99", "max"] as const).map((name) => `${name} ${time(latency[name])}`).join(" · ")

const facts = (report: Simulation.Report): ReadonlyArray<ReadonlyArray<string>> => {
  const { attempts, cost, endings, runs } = report
  const others = Object.entries(endings).filter(([ending, count]) => ending !== "served" && count > 0)
  const more = others.map(([ending, count]) => `${count} ${ending}`).join(", ")
  return [
    ["served", `${served(report)}${more === "" ? "" : ` (${more})`}`],
    ["latency", latency(report)],
    ["upstream calls", `${digits(attempts.perRequest)} a request, at most ${attempts.most}`],
    ...(runs === report.requests ? [] : [["clients' retries", String(runs - report.requests)]]),
    ...(cost === 0 ? [] : [["cost", `${digits(cost)}, ${digits(cost / report.requests)} a request`]])
  ]
}

export const digits = (value: number): string => String(Number(value.toPrecision(4)))

const tiers = ({ breakers, requests, tiers }: Simulation.Report): ReadonlyArray<ReadonlyArray<string>> => [
  ["tier", "served", "", "calls", "failed", "refused", "breaker open"],
  ...tiers.map(({ attempts, errors, refusals, served, tier }) => {
    const open = breakers.filter((span) => span.tier === tier && span.state === "open")
    const all = open.reduce((sum, { from, until }) => sum + until - from, 0)
    return [
      tier,
      String(served),
      percent(requests === 0 ? 0 : served / requests),
      String(attempts),
      Object.entries(errors)
        .sort(([, one], [, other]) => other - one)
        .map(([type, count]) => `${count} ${type}`)
        .join(", "),
      String(refusals),
      open.length === 0 ? "" : `${many(open.length, "time")}, ${clock(all)} in all`
    ]
  })
]

const alerts = ({ alerts }: Simulation.Report): string =>
  alerts.map(({ from, tier, until }) => `alert on ${tier} from ${clock(from)} to ${clock(until)}`).join("\n")
