import { writeFileSync } from "node:fs"
import { Session } from "node:inspector/promises"
import type { Counts, Make, Runner } from "./contender.ts"
import { allocated, type Sample, sample, warm } from "./measure.ts"
import type { Group, Scenario } from "./scenarios.ts"
import { type Upstream, upstream } from "./upstream.ts"

/** What a process makes ready before it says so. */
export interface Job {
  readonly scenarios: ReadonlyArray<Scenario>
  readonly upstream: Group["upstream"]
  readonly spans: boolean
  readonly warmMillis: number
}

/** What it is asked then, again and again. */
export interface Question {
  readonly scenario: string
  readonly what: "one" | "inFiber" | "bytes"
  readonly millis: number
  /** Where to write a profile of the sample: of time or, with `bytes`, of allocations. */
  readonly file?: string
}

export interface Ready extends Counts {
  readonly hasFiber: boolean
}

/** What it answers: first that it is ready, then to each question. */
export type Answer = Readonly<Record<string, Ready>> | Sample | number

interface Case {
  readonly scenario: Scenario
  readonly runner: Runner
  readonly upstreams: ReadonlyArray<Upstream>
  /** Runs a millisecond at best so far: a sample must not be short because something else ran just before it. */
  rate: number
}

const checkedRuns = 20
/** Gets the caches back from whoever ran meanwhile. */
const rewarmMillis = 15

/** Lets the breakers open that will, then checks that a run is what the scenario says. */
const check = async ({ runner, scenario, upstreams }: Case): Promise<void> => {
  await runner.loop(checkedRuns)
  for (const each of upstreams) each.calls = 0
  for (let i = 0; i < checkedRuns; i++) {
    const value = await runner.one()
    if (value !== 42) throw new Error(`${scenario.name}: the answer is ${value}`)
  }
  const calls = upstreams.map((each) => each.calls / checkedRuns)
  if (calls.some((count, i) => count !== scenario.calls[i])) {
    throw new Error(`${scenario.name}: the tiers are called ${calls} times a run, not ${scenario.calls}`)
  }
}

const answer = async (asked: Case, { file, millis, what }: Question): Promise<Answer> => {
  const { runner } = asked
  const loop = what === "inFiber" ? (runner.inFiber ?? runner.loop) : runner.loop
  asked.rate = Math.max(asked.rate, await warm(loop, rewarmMillis))
  const runs = Math.max(20, Math.round(asked.rate * millis))
  if (what === "bytes") {
    const count = Math.max(500, runs)
    return file === undefined ? allocated(loop, count) : allocations(file, loop, count)
  }
  return file === undefined ? sample(loop, runs) : cpuProfile(file, () => sample(loop, runs))
}

const cpuProfile = async <A>(file: string, run: () => Promise<A>): Promise<A> => {
  const session = new Session()
  session.connect()
  await session.post("Profiler.enable")
  await session.post("Profiler.setSamplingInterval", { interval: 200 })
  await session.post("Profiler.start")
  const result = await run()
  const { profile } = await session.post("Profiler.stop")
  writeFileSync(file, JSON.stringify(profile))
  return result
}

const allocations = async (file: string, loop: Runner["loop"], runs: number): Promise<number> => {
  const session = new Session()
  session.connect()
  await session.post("HeapProfiler.startSampling", {
    samplingInterval: 8_192,
    includeObjectsCollectedByMajorGC: true,
    includeObjectsCollectedByMinorGC: true
  })
  await loop(runs)
  const { profile } = await session.post("HeapProfiler.stopSampling")
  writeFileSync(file, JSON.stringify(profile))
  return runs
}

/** The whole of a measuring process. */
export const work = async (make: Make): Promise<void> => {
  const job = JSON.parse(process.argv[2]!) as Job
  const say = (message: Answer) => process.send!(message)
  const cases = new Map<string, Case>()
  for (const scenario of job.scenarios) {
    const upstreams = scenario.tiers.map((behaviour) => upstream(behaviour, job.upstream))
    const runner = await make(scenario, upstreams, job.spans)
    cases.set(scenario.name, { scenario, upstreams, runner, rate: 0 })
  }
  const ready: Record<string, Ready> = {}
  for (const [name, each] of cases) {
    await check(each)
    ready[name] = { ...(await each.runner.counts()), hasFiber: each.runner.inFiber !== undefined }
  }
  // All of them, so that the first one measured does not run code that has seen only itself.
  for (const each of cases.values()) {
    const loops = [each.runner.loop, each.runner.inFiber ?? each.runner.loop]
    for (const loop of loops) {
      each.rate = Math.max(each.rate, await warm(loop, job.warmMillis / cases.size / loops.length))
    }
  }

  process.on("disconnect", () => process.exit())
  process.on("message", (question: Question) => {
    answer(cases.get(question.scenario)!, question).then(say, (error: unknown) => {
      console.error(error)
      process.exit(1)
    })
  })
  say(ready)
}
