import type { Measured } from "./compare.ts"
import type { Counts } from "./contender.ts"
import { contenders, groups, ladders, scenarios } from "./scenarios.ts"
import { median, range, short, spread } from "./statistics.ts"
import { table } from "./table.ts"

/** All that was measured of one contender in one scenario, over all rounds. */
export interface Row {
  readonly wall: ReadonlyArray<number>
  readonly cpu: ReadonlyArray<number>
  readonly inFiber: ReadonlyArray<number>
  /** The median of the rounds. */
  readonly kib: number
  readonly counts: Counts
}

export const rowOf = (
  measured: ReadonlyArray<Measured>,
  group: string,
  scenario: string,
  contender: string
): Row | undefined => {
  const own = measured.filter(
    (each) => each.group === group && each.scenario === scenario && each.contender === contender
  )
  if (own.length === 0) return undefined
  return {
    wall: own.flatMap(({ samples }) => samples.map(({ wall }) => wall)),
    cpu: own.flatMap(({ samples }) => samples.map(({ cpu }) => cpu)),
    inFiber: own.flatMap(({ inFiber }) => inFiber.map(({ wall }) => wall)),
    kib: median(own.map(({ bytes }) => bytes / 1024)),
    counts: own[0]!.counts
  }
}

/** Of samples taken in pairs: whatever else the machine did then, it did to both. */
export const ratios = (own: ReadonlyArray<number>, other: ReadonlyArray<number>): ReadonlyArray<number> =>
  own.length === other.length ? own.map((value, i) => value / other[i]!) : []

const scenarioTable = (measured: ReadonlyArray<Measured>, group: string, scenario: string): string => {
  const rows = contenders.flatMap(({ name }) => {
    const row = rowOf(measured, group, scenario, name)
    return row === undefined ? [] : [{ name, row }]
  })
  const cpuOf = (name: string) => rows.find((each) => each.name === name)?.row.cpu ?? []
  return table(
    ["", "µs a run", "µs in one fiber", "CPU µs", "KiB", "fibers", "steps", "× cockatiel", "× hand"],
    rows.map(({ name, row }) => [
      name,
      spread(row.wall),
      spread(row.inFiber),
      spread(row.cpu),
      short(row.kib),
      ...[row.counts.fibers, row.counts.steps].map((count) => (count === 0 ? "–" : String(count))),
      short(median(ratios(row.cpu, cpuOf("cockatiel")))),
      short(median(ratios(row.cpu, cpuOf("hand"))))
    ])
  )
}

const ladderTable = (measured: ReadonlyArray<Measured>, kind: "first" | "last"): string | undefined => {
  const columns = contenders.filter(({ name }) =>
    measured.some((each) => each.group === "ladders" && each.contender === name)
  )
  if (columns.length === 0) return undefined
  return table(
    ["tiers", ...columns.flatMap(({ name }) => [`${name}: CPU µs`, "KiB"])],
    ladders.map((tiers) => [
      String(tiers),
      ...columns.flatMap(({ name }) => {
        const row = rowOf(measured, "ladders", `${kind}-${tiers}`, name)
        return row === undefined ? ["–", "–"] : [short(median(row.cpu)), short(row.kib)]
      })
    ])
  )
}

/** How much longer than its CPU time a run took, where nothing waits: what the rest of the machine took away. */
const stolen = (measured: ReadonlyArray<Measured>): string => {
  const stretch = measured
    .filter(({ scenario }) => scenario !== "retry")
    .flatMap(({ samples }) => samples.map(({ cpu, wall }) => wall / cpu))
  return `By the clock a run took ${short(median(stretch))} × its CPU time (${range(stretch)}); on a quiet machine 1 ×.\n`
}

/** All tables as Markdown. */
export const report = (measured: ReadonlyArray<Measured>): string => {
  const shown = contenders.filter(({ name }) => measured.some((each) => each.contender === name))
  const sections = groups
    .filter(({ name }) => name !== "ladders")
    .flatMap((group) =>
      scenarios
        .filter(({ name }) => measured.some((each) => each.group === group.name && each.scenario === name))
        .map(
          ({ name, title }) =>
            `### ${name}: ${title}; ${group.title}\n\n${scenarioTable(measured, group.name, name)}\n`
        )
    )
  const last = ladderTable(measured, "last")
  const first = ladderTable(measured, "first")
  return [
    "µs: median (min–max) of all samples; a run is one `runPromise`, or one call of a library of promises.",
    "CPU: of all threads of the process; the ratios are medians over pairs of samples of it. KiB: allocated a run.",
    "Steps: turns of Effect's run loop a run takes.",
    stolen(measured),
    ...shown.map(({ name, what }) => `- ${name}: ${what}`),
    "",
    ...sections,
    ...(last === undefined ? [] : [`### Only the last of so many tiers answers; no retry\n\n${last}\n`]),
    ...(first === undefined ? [] : [`### The first of so many tiers answers; no retry\n\n${first}\n`])
  ].join("\n")
}
