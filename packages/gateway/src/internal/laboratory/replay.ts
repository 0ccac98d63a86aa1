import * as Policy from "@understudy/core/Policy"
import type { Script } from "@understudy/core/testing"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { kinds } from "./subject.ts"

/** What a line of the log says that matters here. */
const Line = Schema.parseJson(
  Schema.Union(
    Schema.Struct({
      message: Schema.Literal("attempt"),
      timestamp: Schema.String,
      route: Schema.String,
      tier: Schema.String,
      outcome: Schema.String,
      status: Schema.optional(Schema.Number),
      error_type: Schema.optional(Schema.String),
      latency_ms: Schema.Number
    }),
    Schema.Struct({
      message: Schema.Literal("run"),
      timestamp: Schema.String,
      route: Schema.String,
      latency_ms: Schema.Number
    })
  )
)

type Line = typeof Line.Type
type Attempt = Extract<Line, { readonly message: "attempt" }>

const minute = 60_000

/** What a log was made of. */
interface Recording {
  readonly script: Script.ScriptFile
  readonly runs: number
  readonly attempts: number
  /** Lines that are no attempt and no run, such as those of other programs. */
  readonly skipped: number
}

/**
 * The script of a log: the start times of its runs, and the results of the attempts per minute. While a tier was not
 * asked, its last known behaviour continues. `undefined` if the log has no runs.
 */
export const replay = (log: string, route: string | undefined): Recording | undefined => {
  const texts = log.split("\n").filter((text) => text.trim() !== "")
  const known = texts.flatMap((text) => Option.toArray(decode(text)))
  const chosen = route ?? known[0]?.route
  const dated = known
    .filter((line) => line.route === chosen)
    .map((line) => ({ ...line, began: Date.parse(line.timestamp) - line.latency_ms }))
    .filter(({ began }) => Number.isFinite(began))
  const start = Math.floor(dated.reduce((least, { began }) => Math.min(least, began), Infinity) / minute)
  const lines = dated.map((line) => ({ ...line, at: Math.floor(line.began / minute) - start }))
  const runs = lines.filter(({ message }) => message === "run")
  if (runs.length === 0) return undefined
  const length = lines.reduce((most, { at }) => Math.max(most, at + 1), 0)
  const attempts = lines.filter(isAttempt).filter((attempt) => !isCallers(attempt))
  return {
    runs: runs.length,
    attempts: attempts.length,
    skipped: texts.length - known.length,
    script: {
      for: `${length}m`,
      load: loadOf(
        grouped(runs, ({ at }) => at),
        length
      ),
      events: [...grouped(attempts, ({ tier }) => tier)].flatMap(([tier, attempts]) =>
        eventsOf(
          tier,
          grouped(attempts, ({ at }) => at),
          length
        )
      )
    }
  }
}

const decode = Schema.decodeUnknownOption(Line)

interface Dated {
  /** When it began, and in which minute of the recording. */
  readonly began: number
  readonly at: number
}

const isAttempt = (line: Line & Dated): line is Attempt & Dated => line.message === "attempt"

/** Left, or too slow: it says nothing of the tier. */
const isCallers = ({ error_type: type, outcome }: Attempt): boolean =>
  outcome === "interrupted" || type === "slow_caller"

const grouped = <A, K>(all: ReadonlyArray<A>, key: (one: A) => K): ReadonlyMap<K, ReadonlyArray<A>> => {
  const groups = new Map<K, Array<A>>()
  for (const one of all) {
    const group = groups.get(key(one)) ?? []
    groups.set(key(one), group)
    group.push(one)
  }
  return groups
}

/** The rate of the busiest minute, and of each other its own. */
const loadOf = (runs: ReadonlyMap<number, ReadonlyArray<unknown>>, length: number): Script.LoadFile => {
  const rates = Array.from({ length }, (_, at) => rounded((runs.get(at)?.length ?? 0) / 60))
  const rate = Math.max(...rates)
  const bursts = rates.flatMap((own, at) => (own === rate ? [] : [{ at: `${at}m`, for: "1m", rate: own }]))
  return { rate, ...(bursts.length > 0 && { bursts }) }
}

const eventsOf = (
  tier: string,
  minutes: ReadonlyMap<number, ReadonlyArray<Attempt>>,
  length: number
): ReadonlyArray<Script.EventFile> => {
  const known = [...minutes].sort(([one], [other]) => one - other)
  return known.map(([at, attempts], index) => ({
    at: `${at}m`,
    for: `${(known[index + 1]?.[0] ?? length) - at}m`,
    of: tier,
    ...behaviour(attempts)
  }))
}

/** What the attempts of a minute met with. */
const behaviour = (attempts: ReadonlyArray<Attempt>): Pick<Script.EventFile, "latency" | "failures"> => {
  const answers = attempts.filter(({ outcome }) => outcome === "success")
  const failed = grouped(attempts, kindOf)
  const failures = [...failed].flatMap(([kind, all]) => {
    if (kind === undefined) return []
    const share = rounded(all.length / attempts.length)
    return [[kind, kind === "hang" ? share : { share, after: percentile(all, 0.5) }] as const]
  })
  return {
    ...((answers.length > 0 || failures.length === 0) && { latency: latencyOf(answers) }),
    ...(failures.length > 0 && { failures: Object.fromEntries(failures) })
  }
}

/** How a script calls such a failure; what ran into a bound had not said anything by then. */
const kindOf = ({ error_type: type, outcome, status }: Attempt): string | undefined => {
  if (outcome === "success") return undefined
  if (outcome === "timeout") return "hang"
  return [String(status), type].find((kind) => kind !== undefined && kinds.includes(kind)) ?? "server_error"
}

const latencyOf = (answers: ReadonlyArray<Attempt>): NonNullable<Script.EventFile["latency"]> => {
  if (answers.length === 0) return "1s"
  const [p50, p95] = [percentile(answers, 0.5), percentile(answers, 0.95)]
  return p50 === p95 ? p50 : { p50, p95 }
}

/** By nearest rank, in whole milliseconds. */
const percentile = (attempts: ReadonlyArray<Attempt>, share: number): string => {
  const sorted = attempts.map(({ latency_ms }) => latency_ms).sort((one, other) => one - other)
  return text(Duration.millis(Math.max(1, Math.round(sorted[Math.ceil(share * sorted.length) - 1]!))))
}

const text = Schema.encodeSync(Policy.DurationText)

const rounded = (value: number): number => Math.round(value * 1e4) / 1e4
