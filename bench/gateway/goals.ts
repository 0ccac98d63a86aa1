import type { Ratio } from "../recorded.ts"
import { median, quartiles, short } from "../statistics.ts"
import type { Sample } from "./compare.ts"

/** A figure of ours beside what it is held against. */
export interface Goal {
  readonly name: string
  readonly what: string
  readonly limit: number
  readonly atLeast: boolean
  /** One value a round; none where it was not measured. */
  readonly values: ReadonlyArray<number>
}

type Of = (scenario: string, contender: string, figure: string) => ReadonlyArray<number>

const figuresOf =
  (samples: ReadonlyArray<Sample>): Of =>
  (scenario, contender, figure) =>
    samples
      .filter((each) => each.scenario === scenario && each.contender === contender)
      .map(({ figures }) => figures[figure]!)

/** Round by round: whatever else the machine did then, it did to both. */
const pairs = (
  own: ReadonlyArray<number>,
  other: ReadonlyArray<number>,
  f: (own: number, other: number) => number = (own, other) => own / other
): ReadonlyArray<number> => (own.length === other.length ? own.map((value, i) => f(value, other[i]!)) : [])

const added = (of: Of, scenario: string, figure: string): ReadonlyArray<number> => {
  const direct = of(scenario, "direct", figure)
  const over = (contender: string) =>
    pairs(of(scenario, contender, figure), direct, (own, less) => own - less)
  return pairs(over("ours"), over("raw"))
}

export const goals = (samples: ReadonlyArray<Sample>): ReadonlyArray<Goal> => {
  const of = figuresOf(samples)
  const against = (scenario: string, figure: string, other = "raw", own = "ours") =>
    pairs(of(scenario, own, figure), of(scenario, other, figure))
  const atLeast = (name: string, what: string, limit: number, values: ReadonlyArray<number>): Goal => ({
    name,
    what,
    limit,
    atLeast: true,
    values
  })
  const atMost = (...[name, what, limit, values]: Parameters<typeof atLeast>): Goal => ({
    ...atLeast(name, what, limit, values),
    atLeast: false
  })
  return [
    atLeast("whole-raw", "whole answers a second, of raw", 0.45, against("whole", "rps")),
    atLeast("whole-portkey", "the same, × Portkey", 4, against("whole", "rps", "portkey")),
    atMost("whole-cpu", "CPU of a whole answer, × raw", 2.3, against("whole", "cpu")),
    atLeast("fallback-raw", "after a tier that answers 503, of raw", 0.45, against("fallback", "rps")),
    atLeast("fallback-portkey", "the same, × Portkey", 5, against("fallback", "rps", "portkey")),
    atMost("fallback-cpu", "CPU of it, × raw", 2.3, against("fallback", "cpu")),
    atLeast("traced", "every trace over OTLP, of raw", 0.25, against("whole", "rps", "raw", "traced")),
    atMost("alone", "added time at one connection, × raw", 1.5, added(of, "alone", "p50")),
    atLeast("stream-raw", "streams a second, of raw", 0.85, against("stream", "rps")),
    atMost("stream-cpu", "CPU of a stream, × raw", 1.25, against("stream", "cpu")),
    atLeast(
      "workers",
      "answers a second, two workers, × one",
      1.7,
      against("workers", "rps", "ours", "workers")
    ),
    atMost(
      "workers-cpu",
      "CPU of an answer, two workers, × one",
      1.1,
      against("workers", "cpu", "ours", "workers")
    ),
    atMost("first", "added time to the first chunk, × raw", 1.7, added(of, "first", "first")),
    atMost("waiting", "MB of heap for 1,000 waiting calls", 20, of("waiting", "ours", "heap")),
    atMost("lost", "of 4,000 callers at once, not answered", 0, of("burst", "ours", "lost")),
    atMost("burst", "time for all of them, × raw", 1.1, against("burst", "wall")),
    atMost("cold", "start to first answer, × raw", 1.5, against("cold", "start", "raw", "untraced")),
    atMost("resident", "MB resident after it", 80, of("cold", "untraced", "resident"))
  ]
}

const steady = ["whole-cpu", "fallback-cpu", "stream-cpu", "resident"]

/** What is to be held. */
export const gatewayRatios = (all: ReadonlyArray<Goal>): ReadonlyArray<Ratio> =>
  all
    .filter(({ name, values }) => steady.includes(name) && values.length > 0)
    .map((goal) => ({ name: `gateway: ${goal.name}`, value: measuredOf(goal), more: goal.atLeast }))

export const measuredOf = ({ values }: Goal): number => median(values)

export const isMet = (goal: Goal): boolean =>
  goal.atLeast ? measuredOf(goal) >= goal.limit : measuredOf(goal) <= goal.limit

/** Each goal with what was measured, as Markdown. */
export const goalTable = (all: ReadonlyArray<Goal>): string =>
  [
    "| what | goal | measured | half of the rounds in | |",
    "| --- | ---: | ---: | ---: | --- |",
    ...all
      .filter(({ values }) => values.length > 0)
      .map((goal) => {
        const sign = goal.atLeast ? "≥" : "≤"
        const [low, high] = quartiles(goal.values).map(short)
        return `| ${goal.what} | ${sign} ${goal.limit} | ${short(measuredOf(goal))} | ${low}–${high} | ${isMet(goal) ? "met" : "NOT MET"} |`
      }),
    ""
  ].join("\n")
