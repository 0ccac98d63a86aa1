import { writeFileSync } from "node:fs"
import { cpus, loadavg } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { hottest } from "../profile.ts"
import type { Ratio } from "../recorded.ts"
import { cold } from "./cold.ts"
import { compare, profiled } from "./compare.ts"
import { contenders, type Places } from "./contenders.ts"
import { gatewayRatios, goals, goalTable } from "./goals.ts"
import { report } from "./report.ts"
import { type Scenario, type Settings, scenarios } from "./scenarios.ts"

const coldRounds = 7

/** The command line; `places` says where the bundled processes and the programs are. Gives what is to be held. */
export const main = async (
  args: Array<string>,
  places: Omit<Places, "mock">
): Promise<ReadonlyArray<Ratio>> => {
  const { positionals, values } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      quick: { type: "boolean", default: false },
      only: { type: "string", multiple: true, default: [] },
      rounds: { type: "string" },
      json: { type: "string" },
      against: { type: "string" },
      profile: { type: "string" }
    }
  })
  const settings: Settings = {
    out: places.out,
    cpuMillis: values.quick ? 300 : 1_000
  }
  if (values.profile !== undefined) {
    await profile(places, { ...settings, cpuMillis: 2_000 }, values.profile, positionals[0])
    return []
  }

  const named = [...scenarios.map(({ name }) => name), "cold"]
  const unknown = values.only.filter((name) => !named.includes(name))
  if (unknown.length > 0) throw new Error(`no such name: ${unknown}; there are: ${named.join(", ")}`)
  const takesPart = (name: string, otherwise: boolean) =>
    values.only.length === 0 ? otherwise : values.only.includes(name)
  const roundsOf = (full: number) => Number(values.rounds ?? (values.quick ? 3 : full))

  const load = () => loadavg()[0]!.toFixed(1)
  const before = load()
  const started = performance.now()
  const samples = [
    ...(await compare(
      places,
      scenarios.filter(({ name, quick }) => takesPart(name, quick || !values.quick)),
      settings,
      ({ rounds }) => roundsOf(rounds)
    )),
    ...(takesPart("cold", true) ? await cold(places, roundsOf(coldRounds)) : [])
  ]
  const machine = `Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model.trim()}`
  const seconds = Math.round((performance.now() - started) / 1000)
  console.log(`${machine}; load ${before} before, ${load()} after; ${seconds} s\n`)
  console.log(contenders.map(({ name, what }) => `- ${name}: ${what}`).join("\n"))
  console.log(`\nMedian (least–most) of the rounds.\n\n${report(samples, scenarios)}`)
  const reached = goals(samples)
  console.log(`### Goals\n\n${goalTable(reached)}`)
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(samples, undefined, 1)}\n`)
  return gatewayRatios(reached)
}

/** Where one contender spends its time under load. */
const profile = async (
  places: Omit<Places, "mock">,
  settings: Settings,
  name: string,
  scenarioName: string | undefined
): Promise<void> => {
  const contender = contenders.find((each) => each.name === name)
  const scenario: Scenario | undefined = scenarios.find((each) => each.name === scenarioName)
  if (contender === undefined || scenario === undefined) {
    const named = (all: ReadonlyArray<{ readonly name: string }>) => all.map(({ name }) => name).join(", ")
    throw new Error(`--profile NAME SCENARIO; NAME: ${named(contenders)}; SCENARIO: ${named(scenarios)}`)
  }
  const file = join(places.out, `${name}-${scenario.name}.cpuprofile`)
  await profiled(places, contender, scenario, settings, file)
  console.log(`${hottest(file)}\n\n${file}`)
}
