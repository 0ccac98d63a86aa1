import { agent, call } from "./callers.ts"
import { type Contender, contenders, type Places, startMock } from "./contenders.ts"
import type { Server } from "./processes.ts"
import { type Asked, type Figures, type Scenario, type Settings, warm } from "./scenarios.ts"

/** What one contender came to in one round of a scenario. */
export interface Sample {
  readonly scenario: string
  readonly contender: string
  readonly round: number
  readonly figures: Figures
}

/** Waits for the first good answer, which is the mock's. */
const ready = async ({ contender, question }: Pick<Asked, "contender" | "question">): Promise<void> => {
  const dispatcher = agent()
  const deadline = performance.now() + 15_000
  for (;;) {
    const answer = await call(dispatcher, question).catch((error: unknown) => error)
    if (!(answer instanceof Error)) break
    if (performance.now() > deadline) throw new Error(`${contender.name} does not answer`, { cause: answer })
  }
  await dispatcher.close()
}

/** The other commit's gateway stands wherever ours does. */
export const taking = (
  names: ReadonlyArray<string>,
  { base }: Pick<Places, "base">
): ReadonlyArray<Contender> =>
  contenders.filter(({ name }) =>
    name === "base" ? base !== undefined && names.includes("ours") : names.includes(name)
  )

const startAll = async (
  places: Places,
  scenario: Scenario,
  settings: Settings
): Promise<ReadonlyArray<Asked>> => {
  const all: Array<Asked> = []
  for (const contender of taking(scenario.contenders, places)) {
    process.stderr.write(` ${contender.name}`)
    const server = await contender.start(places)
    const asked = { contender, server, question: contender.question(places, server, scenario.upstreams) }
    await ready(asked)
    await warm(asked, settings, scenario.warm)
    all.push(asked)
  }
  return all
}

/** Fresh processes for every scenario, all alive at once and taking turns. */
export const compare = async (
  places: Omit<Places, "mock">,
  chosen: ReadonlyArray<Scenario>,
  settings: Settings,
  rounds: (scenario: Scenario) => number
): Promise<ReadonlyArray<Sample>> => {
  const mock = await startMock(places.out)
  const samples: Array<Sample> = []
  for (const scenario of chosen) {
    process.stderr.write(`${scenario.name}:`)
    const all = await startAll({ ...places, mock }, scenario, settings)
    for (let round = 1; round <= rounds(scenario); round++) {
      // A machine that grows slower or faster must not favour those who come first.
      for (const asked of round % 2 === 0 ? all.toReversed() : all) {
        const figures = await scenario.measure(asked, settings)
        samples.push({ scenario: scenario.name, contender: asked.contender.name, round, figures })
      }
    }
    await Promise.all(all.map(({ server }) => (server === mock ? undefined : server.end())))
    process.stderr.write("\n")
  }
  await mock.end()
  return samples
}

/** One contender under load, profiled. */
export const profiled = async (
  places: Omit<Places, "mock">,
  contender: Contender,
  scenario: Scenario,
  settings: Settings,
  file: string
): Promise<void> => {
  const mock: Server = await startMock(places.out)
  const [asked] = await startAll({ ...places, mock }, { ...scenario, contenders: [contender.name] }, settings)
  await asked!.server.ask({ _tag: "profile" })
  await scenario.measure(asked!, settings)
  await asked!.server.ask({ _tag: "profiled", file })
  await asked!.server.end()
  await mock.end()
}
