import type { Measured } from "./compare.ts"
import type { Ratio } from "./recorded.ts"
import { ratios, rowOf } from "./report.ts"
import { ladders } from "./scenarios.ts"
import { median, quartiles, short } from "./statistics.ts"

interface Verdict {
  readonly goal: string
  /** `undefined` where it was not measured. */
  readonly met: boolean | undefined
  readonly measured: string
}

/**
 * Ours against the faster of the two versions of cockatiel, in CPU time: nothing waits in these scenarios, so that
 * it is the time of a machine with nothing else to do.
 */
const againstCockatiel = (measured: ReadonlyArray<Measured>, scenario: string): Verdict => {
  const goal = `${scenario}: at most 0.70 of cockatiel's time`
  const ours = rowOf(measured, "main", scenario, "ours")
  const rivals = (["cockatiel", "cockatiel3"] as const).flatMap((name) => {
    const row = rowOf(measured, "main", scenario, name)
    return row === undefined ? [] : [{ name, row }]
  })
  const [rival] = rivals.toSorted((a, b) => median(a.row.cpu) - median(b.row.cpu))
  if (ours === undefined || rival === undefined) return { goal, met: undefined, measured: "not measured" }
  const pairs = ratios(ours.cpu, rival.row.cpu)
  const ratio = median(pairs)
  const [low, high] = quartiles(pairs).map(short)
  const fastest = Math.min(...ours.cpu) / Math.min(...rival.row.cpu)
  const clock = median(ratios(ours.wall, rival.row.wall))
  return {
    goal,
    met: ratio <= 0.7,
    measured: `${short(ratio)} of ${rival.name} (half of the samples in ${low}–${high}, fastest by fastest ${short(fastest)}, by the clock ${short(clock)})`
  }
}

/** Ours beside the fastest of others, and beside what one would write by hand. */
export const policyRatios = (measured: ReadonlyArray<Measured>): ReadonlyArray<Ratio> =>
  ["first", "retry", "second", "open"].flatMap((scenario) =>
    ["cockatiel", "hand"].flatMap((other) => {
      const ours = rowOf(measured, "main", scenario, "ours")
      const theirs = rowOf(measured, "main", scenario, other)
      if (ours === undefined || theirs === undefined) return []
      const value = median(ratios(ours.cpu, theirs.cpu))
      return [{ name: `policy: ${scenario}, CPU of ${other}`, value, more: false }]
    })
  )

const atMost = (goal: string, limit: number, value: number | undefined, unit: string): Verdict =>
  value === undefined
    ? { goal, met: undefined, measured: "not measured" }
    : { goal, met: value <= limit, measured: `${short(value)} ${unit}` }

/** Whether a cost is a straight line: what a tier adds among 16, against what it adds among 4. */
const bend = ([one, , four, , sixteen]: ReadonlyArray<number>): number =>
  (sixteen! - one!) / 15 / ((four! - one!) / 3)

const ladderGoals = (measured: ReadonlyArray<Measured>): ReadonlyArray<Verdict> => {
  const rows = (kind: string) =>
    ladders
      .map((tiers) => rowOf(measured, "ladders", `${kind}-${tiers}`, "ours"))
      .filter((row) => row !== undefined)
  const last = rows("last")
  const first = rows("first")
  const linear = "linear in the tiers tried: each of 16 costs no more than each of 4"
  const free = "nothing per tier not reached: 16 tiers cost as much as 1 when the first answers"
  if (last.length < ladders.length || first.length < ladders.length) {
    return [linear, free].map((goal) => ({ goal, met: undefined, measured: "not measured" }))
  }
  // The fastest sample of each: these were taken too far apart to be compared in pairs.
  const micros = last.map(({ cpu }) => Math.min(...cpu))
  const kib = last.map((row) => row.kib)
  const perTier = (values: ReadonlyArray<number>) => (values[4]! - values[0]!) / 15
  const time = Math.min(...first[4]!.cpu) / Math.min(...first[0]!.cpu)
  const memory = first[4]!.kib / first[0]!.kib
  return [
    {
      // Memory is exact to a few percent; the time of one round is not.
      goal: linear,
      met: bend(kib) <= 1.15 && bend(micros) <= 1.5,
      measured: `${short(bend(micros))} × in time, ${short(bend(kib))} × in memory; ${short(perTier(micros))} µs and ${short(perTier(kib))} KiB a tier`
    },
    {
      goal: free,
      met: memory <= 1.05 && time <= 1.3,
      measured: `${short(time)} × in time, ${short(memory)} × in memory`
    }
  ]
}

const spanGoals = (measured: ReadonlyArray<Measured>): ReadonlyArray<Verdict> =>
  ["first", "second"].flatMap((scenario) => {
    const off = rowOf(measured, "spans", scenario, "ours")
    const on = rowOf(measured, "spans", scenario, "ours-spans")
    const both = off !== undefined && on !== undefined
    const kib = both ? (on.kib - off.kib) / on.counts.spans : undefined
    const micros = both ? median(on.cpu.map((value, i) => value - off.cpu[i]!)) / on.counts.spans : undefined
    const spans = both ? `a span (${on.counts.spans} spans a run)` : ""
    return [
      atMost(`${scenario} with native spans: at most 16 KiB more a span`, 16, kib, `KiB ${spans}`),
      atMost(`${scenario} with native spans: at most 15 µs more a span`, 15, micros, `µs ${spans}`)
    ]
  })

/** The goals, each with what was measured. */
export const goals = (measured: ReadonlyArray<Measured>): string => {
  const kib = (scenario: string) => rowOf(measured, "main", scenario, "ours")?.kib
  const verdicts = [
    ...["first", "second", "open"].map((scenario) => againstCockatiel(measured, scenario)),
    atMost("first: at most 16 KiB a run", 16, kib("first"), "KiB"),
    atMost("second: at most 30 KiB a run", 30, kib("second"), "KiB"),
    ...ladderGoals(measured),
    ...spanGoals(measured)
  ]
  const word = (met: boolean | undefined) => (met === undefined ? "?      " : met ? "met    " : "NOT MET")
  return [
    "### Goals",
    "",
    ...verdicts.map((each) => `- ${word(each.met)} ${each.goal}: ${each.measured}`),
    ""
  ].join("\n")
}
