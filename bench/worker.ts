import { writeFileSync } from "node:fs"
import { Session } from "node:inspector/promises"
import type { Contender, Runner } from "./contender.ts"
import { allocated, type Sample, sample, warm } from "./measure.ts"
import type { Scenario, Variant } from "./scenarios.ts"
import { type Upstream, upstream } from "./upstream.ts"

/** What a process is told to do. */
export interface Job extends Variant {
  readonly scenarios: ReadonlyArray<Scenario>
  readonly inFiber: boolean
  readonly warmMillis: number
  readonly samples: number
  readonly sampleMillis: number
  /** Write a CPU profile of the first scenario here, and measure nothing. */
  readonly profile: string | undefined
}

export interface Result {
  readonly scenario: string
  readonly samples: ReadonlyArray<Sample>
  readonly inFiber: ReadonlyArray<Sample>
  readonly bytes: number
  readonly spans: number
}

interface Case {
  readonly scenario: Scenario
  readonly runner: Runner
  readonly upstreams: ReadonlyArray<Upstream>
}

const checkedRuns = 20

/** Lets the breakers open that will, then checks that a run is what the scenario says. Returns its spans. */
const check = async ({ runner, scenario, upstreams }: Case): Promise<number> => {
  await runner.loop(checkedRuns)
  for (const each of upstreams) each.calls = 0
  const before = runner.spans()
  for (let i = 0; i < checkedRuns; i++) {
    const value = await runner.one()
    if (value !== 42) throw new Error(`${scenario.name}: the answer is ${value}`)
  }
  const calls = upstreams.map((each) => each.calls / checkedRuns)
  if (calls.some((count, i) => count !== scenario.calls[i])) {
    throw new Error(`${scenario.name}: the tiers are called ${calls} times a run, not ${scenario.calls}`)
  }
  return (runner.spans() - before) / checkedRuns
}

const measure = async (each: Case, spans: number, job: Job): Promise<Result> => {
  const { runner, scenario } = each
  const samplesOf = async (loop: Runner["loop"]) => {
    const runs = Math.max(20, Math.round((await warm(loop, job.sampleMillis)) * job.sampleMillis))
    const samples: Array<Sample> = []
    for (let i = 0; i < job.samples; i++) samples.push(await sample(loop, runs))
    return { runs, samples }
  }
  const { runs, samples } = await samplesOf(runner.loop)
  const bytes = await allocated(runner.loop, Math.max(runs, 500))
  const inFiber = job.inFiber && runner.inFiber !== undefined ? await samplesOf(runner.inFiber) : undefined
  return { scenario: scenario.name, samples, inFiber: inFiber?.samples ?? [], bytes, spans }
}

const profile = async ({ runner }: Case, job: Job, file: string) => {
  const loop = job.inFiber ? (runner.inFiber ?? runner.loop) : runner.loop
  await warm(loop, job.warmMillis)
  const session = new Session()
  session.connect()
  await session.post("Profiler.enable")
  await session.post("Profiler.setSamplingInterval", { interval: 200 })
  await session.post("Profiler.start")
  await warm(loop, job.sampleMillis)
  const stopped = await session.post("Profiler.stop")
  writeFileSync(file, JSON.stringify(stopped.profile))
}

/** The whole of a measuring process: its job comes as an argument, its results go to standard output. */
export const work = async (contender: Contender): Promise<void> => {
  const job = JSON.parse(process.argv[2]!) as Job
  const cases: Array<Case> = []
  for (const scenario of job.scenarios) {
    const upstreams = scenario.tiers.map((behaviour) => upstream(behaviour, job.upstream))
    cases.push({ scenario, upstreams, runner: await contender(scenario, upstreams, job.spans) })
  }
  const spans: Array<number> = []
  for (const each of cases) spans.push(await check(each))
  if (job.profile !== undefined) {
    await profile(cases[0]!, job, job.profile)
    process.exit()
  }
  // All together first, so that the first one measured does not run code that has seen only itself.
  for (const { runner } of cases) await warm(runner.loop, job.warmMillis / cases.length)
  const results: Array<Result> = []
  for (const [i, each] of cases.entries()) results.push(await measure(each, spans[i]!, job))
  process.stdout.write(JSON.stringify(results), () => process.exit())
}
