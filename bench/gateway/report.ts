import { spread } from "../statistics.ts"
import { table } from "../table.ts"
import type { Sample } from "./compare.ts"
import { contenders } from "./contenders.ts"
import { type Scenario, units } from "./scenarios.ts"

const figureTable = (samples: ReadonlyArray<Sample>): string => {
  const figures = Object.keys(samples[0]?.figures ?? {})
  const named = contenders.filter(({ name }) => samples.some(({ contender }) => contender === name))
  return table(
    ["", ...figures.map((figure) => units[figure] ?? figure)],
    named.map(({ name }) => [
      name,
      ...figures.map((figure) =>
        spread(samples.filter(({ contender }) => contender === name).map(({ figures }) => figures[figure]!))
      )
    ])
  )
}

/** All figures as Markdown: median (least–most) of the rounds. */
export const report = (samples: ReadonlyArray<Sample>, scenarios: ReadonlyArray<Scenario>): string => {
  const titles = new Map(scenarios.map(({ name, title }) => [name, title]))
  const names = [...new Set(samples.map(({ scenario }) => scenario))]
  return names
    .map((name) => {
      const own = samples.filter(({ scenario }) => scenario === name)
      return `### ${name}: ${titles.get(name) ?? ""}\n\n${figureTable(own)}\n`
    })
    .join("\n")
}
