import type { Counts } from "./contender.ts"
import type { Sample } from "./measure.ts"
import { type Process, start } from "./processes.ts"
import { contenders, type Group, scenarios } from "./scenarios.ts"

export interface Settings {
  /** By the name of the group. */
  readonly rounds: Readonly<Record<string, number>>
  readonly warmMillis: number
  readonly samples: number
  readonly sampleMillis: number
}

/** What one process found out about one scenario. */
export interface Measured {
  readonly group: string
  readonly round: number
  readonly contender: string
  readonly scenario: string
  /** The n-th samples of all contenders were taken one right after the other. */
  readonly samples: ReadonlyArray<Sample>
  readonly inFiber: ReadonlyArray<Sample>
  readonly bytes: number
  readonly counts: Counts
}

const startAll = async (out: string, group: Group, settings: Settings): Promise<ReadonlyArray<Process>> => {
  const processes: Array<Process> = []
  // One after the other: warming up must not slow down whoever warms up too.
  for (const contender of contenders.filter(({ name }) => group.contenders.includes(name))) {
    const own = scenarios.filter(
      ({ name }) => group.scenarios.includes(name) && !contender.lacks.includes(name)
    )
    if (own.length === 0) continue
    process.stderr.write(` ${contender.name}`)
    processes.push(
      await start(out, contender, {
        scenarios: own,
        upstream: group.upstream,
        spans: contender.spans,
        warmMillis: settings.warmMillis
      })
    )
  }
  return processes
}

const measure = async (
  processes: ReadonlyArray<Process>,
  group: Group,
  round: number,
  { sampleMillis, samples }: Settings
): Promise<ReadonlyArray<Measured>> => {
  const cells = group.scenarios.flatMap((scenario) =>
    processes
      .filter(({ ready }) => ready[scenario] !== undefined)
      .map((process) => ({
        process,
        scenario,
        samples: [] as Array<Sample>,
        inFiber: [] as Array<Sample>
      }))
  )
  for (let i = 0; i < samples; i++) {
    // A machine that grows slower or faster must not favour those who come first.
    for (const { inFiber, process, samples, scenario } of (i + round) % 2 === 0
      ? cells
      : cells.toReversed()) {
      samples.push(await process.sample(scenario, "one", sampleMillis))
      if (group.inFiber && process.ready[scenario]!.hasFiber) {
        inFiber.push(await process.sample(scenario, "inFiber", sampleMillis))
      }
    }
  }
  const measured: Array<Measured> = []
  for (const { inFiber, process, samples, scenario } of cells) {
    const { fibers, spans, steps } = process.ready[scenario]!
    measured.push({
      group: group.name,
      round,
      contender: process.contender.name,
      scenario,
      samples,
      inFiber,
      bytes: await process.bytes(scenario, sampleMillis),
      counts: { steps, fibers, spans }
    })
  }
  return measured
}

/** All rounds of all groups, with fresh processes for every group and round. */
export const compare = async (
  out: string,
  groups: ReadonlyArray<Group>,
  settings: Settings
): Promise<ReadonlyArray<Measured>> => {
  const measured: Array<Measured> = []
  const mostRounds = Math.max(0, ...groups.map(({ name }) => settings.rounds[name] ?? 0))
  for (let round = 1; round <= mostRounds; round++) {
    for (const group of groups) {
      if (round > (settings.rounds[group.name] ?? 0)) continue
      process.stderr.write(`round ${round}: ${group.name}:`)
      const processes = await startAll(out, group, settings)
      measured.push(...(await measure(processes, group, round, settings)))
      for (const each of processes) each.end()
      process.stderr.write("\n")
    }
  }
  return measured
}
