import { spawn } from "node:child_process"
import { writeFileSync } from "node:fs"
import { cpus, loadavg } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { goals } from "./goals.ts"
import { hottest } from "./profile.ts"
import { type Measured, report } from "./report.ts"
import { type ContenderName, contenders, type Group, groups, lacks, scenarios } from "./scenarios.ts"
import type { Job, Result } from "./worker.ts"

interface Settings {
  readonly rounds: Readonly<Record<string, number>>
  readonly warmMillis: number
  readonly samples: number
  readonly sampleMillis: number
}

const full: Settings = {
  rounds: { main: 3, spans: 2, sync: 1, ladders: 1 },
  warmMillis: 2_500,
  samples: 5,
  sampleMillis: 100
}

/** What the goals need, once. */
const quick: Settings = {
  rounds: { main: 1, spans: 1, ladders: 1 },
  warmMillis: 2_000,
  samples: 4,
  sampleMillis: 80
}
const quickContenders: Readonly<Record<string, ReadonlyArray<ContenderName>>> = {
  main: ["js", "ours", "hand", "plan-timeout", "cockatiel", "cockatiel3", "opossum"],
  spans: ["ours"],
  ladders: ["ours"]
}

/** One process; resolves to what it wrote. */
const node = (out: string, contender: string, job: Job): Promise<string> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(out, `${contender}.mjs`), JSON.stringify(job)], {
      stdio: ["ignore", "pipe", "inherit"]
    })
    let output = ""
    child.stdout.setEncoding("utf8").on("data", (text) => {
      output += text
    })
    child.on("error", reject)
    child.on("close", (code) => {
      if (code === 0) resolve(output)
      else reject(new Error(`${contender} ended with code ${code}`))
    })
  })

const jobOf = (group: Group, contender: ContenderName, settings: Settings): Job => ({
  scenarios: scenarios.filter(
    ({ name }) => group.scenarios.includes(name) && lacks[contender]?.includes(name) !== true
  ),
  upstream: group.upstream,
  spans: group.spans,
  inFiber: group.inFiber,
  warmMillis: settings.warmMillis,
  samples: settings.samples,
  sampleMillis: settings.sampleMillis,
  profile: undefined
})

/** Narrows the groups to the names given: contenders, scenarios and groups. */
const narrow = (only: ReadonlyArray<string>): ReadonlyArray<Group> => {
  const known = [...contenders, ...scenarios, ...groups].map(({ name }) => name as string)
  const unknown = only.filter((name) => !known.includes(name))
  if (unknown.length > 0) throw new Error(`no such name: ${unknown}; there are ${[...new Set(known)]}`)
  const chosen = <N extends string>(names: ReadonlyArray<N>): ReadonlyArray<N> =>
    only.some((name) => (names as ReadonlyArray<string>).includes(name))
      ? names.filter((name) => only.includes(name))
      : names
  const allContenders = contenders.map(({ name }) => name)
  const allScenarios = scenarios.map(({ name }) => name)
  return chosen(groups.map(({ name }) => name)).flatMap((name) =>
    groups
      .filter((group) => group.name === name)
      .map((group) => ({
        ...group,
        contenders: group.contenders.filter((each) => chosen(allContenders).includes(each)),
        scenarios: group.scenarios.filter((each) => chosen(allScenarios).includes(each))
      }))
      .filter((group) => group.contenders.length > 0 && group.scenarios.length > 0)
  )
}

const compare = async (
  out: string,
  groupsToRun: ReadonlyArray<Group>,
  settings: Settings
): Promise<ReadonlyArray<Measured>> => {
  const measured: Array<Measured> = []
  const mostRounds = Math.max(0, ...groupsToRun.map(({ name }) => settings.rounds[name] ?? 0))
  for (let round = 1; round <= mostRounds; round++) {
    for (const group of groupsToRun) {
      if (round > (settings.rounds[group.name] ?? 0)) continue
      // A machine that grows slower or faster must not favour those who come first.
      const order = round % 2 === 1 ? group.contenders.toReversed() : group.contenders
      for (const contender of order) {
        const job = jobOf(group, contender, settings)
        if (job.scenarios.length === 0) continue
        process.stderr.write(`round ${round}: ${group.name}: ${contender}\n`)
        const results = JSON.parse(await node(out, contender, job)) as ReadonlyArray<Result>
        measured.push(...results.map((result) => ({ ...result, group: group.name, contender, round })))
      }
    }
  }
  return measured
}

const profile = async (out: string, contender: string, name: string | undefined, flags: ProfileFlags) => {
  const scenario = scenarios.find((each) => each.name === name)
  if (scenario === undefined || !contenders.some((each) => each.name === contender)) {
    throw new Error(
      `--profile NAME SCENARIO: one of ${contenders.map((each) => each.name)} and one of ${scenarios.map((each) => each.name)}`
    )
  }
  const file = join(out, `${contender}-${scenario.name}.cpuprofile`)
  await node(out, contender, {
    scenarios: [scenario],
    upstream: flags.sync ? "sync" : "async",
    spans: flags.spans,
    inFiber: flags.fiber,
    warmMillis: 3_000,
    samples: 0,
    sampleMillis: 4_000,
    profile: file
  })
  console.log(hottest(file, out))
  console.log(`\n${file}`)
}

interface ProfileFlags {
  readonly sync: boolean
  readonly spans: boolean
  readonly fiber: boolean
}

/** The command line; `out` is the folder of the bundled contenders. */
export const main = async (args: Array<string>, out: string): Promise<void> => {
  const { positionals, values } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      quick: { type: "boolean", default: false },
      json: { type: "string" },
      only: { type: "string", multiple: true, default: [] },
      rounds: { type: "string" },
      against: { type: "string" },
      profile: { type: "string" },
      sync: { type: "boolean", default: false },
      spans: { type: "boolean", default: false },
      fiber: { type: "boolean", default: false }
    }
  })
  if (values.profile !== undefined) return profile(out, values.profile, positionals[0], values)

  const base = values.quick ? quick : full
  const rounds = Number(values.rounds)
  const settings =
    values.rounds === undefined
      ? base
      : { ...base, rounds: Object.fromEntries(Object.keys(base.rounds).map((name) => [name, rounds])) }
  const takesPart = (group: Group, name: ContenderName) =>
    name === "base"
      ? values.against !== undefined
      : !values.quick || values.only.includes(name) || quickContenders[group.name]?.includes(name) === true
  const groupsToRun = narrow(values.only).map((group) => ({
    ...group,
    contenders: group.contenders.filter((name) => takesPart(group, name))
  }))

  const load = () => loadavg().map((each) => each.toFixed(1))
  const before = load()
  const started = performance.now()
  const measured = await compare(out, groupsToRun, settings)
  const seconds = Math.round((performance.now() - started) / 1000)
  const machine = {
    node: process.version,
    cpu: `${cpus().length} × ${cpus()[0]?.model.trim()}`,
    load: `${before[0]} before, ${load()[0]} after`,
    seconds
  }
  console.log(`Node ${machine.node}, ${machine.cpu}; load ${machine.load}; ${seconds} s\n`)
  console.log(report(measured))
  console.log(goals(measured))
  if (values.json !== undefined) {
    writeFileSync(values.json, `${JSON.stringify({ machine, settings, measured }, undefined, 1)}\n`)
  }
}
