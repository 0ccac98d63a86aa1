import { writeFileSync } from "node:fs"
import { cpus, loadavg } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { compare, type Settings } from "./compare.ts"
import { goals, policyRatios } from "./goals.ts"
import { start } from "./processes.ts"
import { hottest, largest } from "./profile.ts"
import type { Ratio } from "./recorded.ts"
import { report } from "./report.ts"
import { contenders, type Group, groups, scenarios } from "./scenarios.ts"

const full: Settings = {
  rounds: { main: 3, spans: 2, sync: 1, ladders: 1 },
  warmMillis: 2_500,
  samples: 8,
  sampleMillis: 50
}

/** What the goals need, once. */
const quick: Settings = {
  rounds: { main: 1, spans: 1, ladders: 1 },
  warmMillis: 2_000,
  samples: 6,
  sampleMillis: 40
}
const quickContenders: Readonly<Record<string, ReadonlyArray<string>>> = {
  main: ["js", "ours", "hand", "plan-timeout", "cockatiel", "cockatiel3", "opossum"],
  spans: ["ours", "ours-spans"],
  ladders: ["ours", "cockatiel"]
}

const names = {
  contenders: contenders.map(({ name }) => name),
  scenarios: scenarios.map(({ name }) => name),
  groups: groups.map(({ name }) => name)
}

/** Narrows the groups to the names given: contenders, scenarios and groups. */
const narrow = (only: ReadonlyArray<string>): ReadonlyArray<Group> => {
  const known = Object.values(names).flat()
  const unknown = only.filter((name) => !known.includes(name))
  if (unknown.length > 0) throw new Error(`no such name: ${unknown}; there are: ${known.join(", ")}`)
  const wanted = (all: ReadonlyArray<string>) => {
    const chosen = all.filter((name) => only.includes(name))
    return (name: string) => chosen.length === 0 || chosen.includes(name)
  }
  return groups
    .filter(({ name }) => wanted(names.groups)(name))
    .map((group) => ({
      ...group,
      contenders: group.contenders.filter(wanted(names.contenders)),
      scenarios: group.scenarios.filter(wanted(names.scenarios))
    }))
}

const profile = async (
  out: string,
  {
    fiber,
    name,
    scenario: scenarioName,
    sync
  }: {
    readonly name: string
    readonly scenario: string | undefined
    readonly sync: boolean
    readonly fiber: boolean
  }
) => {
  const contender = contenders.find((each) => each.name === name)
  const scenario = scenarios.find((each) => each.name === scenarioName)
  if (scenario === undefined || contender === undefined) {
    throw new Error(
      `--profile NAME SCENARIO; NAME: ${names.contenders.join(", ")}; SCENARIO: ${names.scenarios.join(", ")}`
    )
  }
  const file = (extension: string) => join(out, `${name}-${scenario.name}.${extension}`)
  const process = await start(out, contender, {
    scenarios: [scenario],
    upstream: sync ? "sync" : "async",
    spans: contender.spans,
    warmMillis: 4_000
  })
  await process.profile(scenario.name, fiber ? "inFiber" : "one", 4_000, file("cpuprofile"))
  const runs = await process.allocations(scenario.name, 1_000, file("heapprofile"))
  process.end()
  console.log(`${hottest(file("cpuprofile"))}\n`)
  console.log(`${largest(file("heapprofile"), runs)}\n`)
  console.log(`${file("cpuprofile")}\n${file("heapprofile")}`)
}

/** The command line; `out` is the folder of the bundled contenders. Gives what is to be held. */
export const main = async (args: Array<string>, out: string): Promise<ReadonlyArray<Ratio>> => {
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
      fiber: { type: "boolean", default: false }
    }
  })
  if (values.profile !== undefined) {
    await profile(out, { ...values, name: values.profile, scenario: positionals[0] })
    return []
  }

  const base = values.quick ? quick : full
  const rounds = Number(values.rounds ?? Number.NaN)
  const settings = Number.isNaN(rounds)
    ? base
    : { ...base, rounds: Object.fromEntries(Object.keys(base.rounds).map((name) => [name, rounds])) }
  const takesPart = (group: Group, name: string) => {
    if (name.startsWith("base")) return values.against !== undefined
    return !values.quick || values.only.includes(name) || quickContenders[group.name]?.includes(name) === true
  }
  const chosen = narrow(values.only).map((group) => ({
    ...group,
    contenders: group.contenders.filter((name) => takesPart(group, name))
  }))

  const load = () => loadavg()[0]!.toFixed(1)
  const before = load()
  const started = performance.now()
  const measured = await compare(out, chosen, settings)
  const machine = {
    node: process.version,
    cpu: `${cpus().length} × ${cpus()[0]?.model.trim()}`,
    load: `${before} before, ${load()} after`,
    seconds: Math.round((performance.now() - started) / 1000)
  }
  console.log(`Node ${machine.node}, ${machine.cpu}; load ${machine.load}; ${machine.seconds} s\n`)
  console.log(report(measured))
  console.log(goals(measured))
  if (values.json !== undefined) {
    writeFileSync(values.json, `${JSON.stringify({ machine, settings, measured }, undefined, 1)}\n`)
  }
  return policyRatios(measured)
}
