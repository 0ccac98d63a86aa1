import { type Script, Simulation } from "@understudy/core/testing"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Config from "../../Config.ts"
import { type Source, type Terminal, UsageError, writeText } from "../command/command.ts"
import type { Html } from "../drawing/html.ts"
import { page, svgFile } from "../drawing/panels.ts"
import { percent } from "../drawing/percent.ts"
import { suggest } from "../file/nearest.ts"
import { comparison, curve, type Row } from "./compare.ts"
import { defaultScript } from "./defaultScript.ts"
import { picture } from "./picture.ts"
import { loadLoad, loadScript, parseScript } from "./scriptText.ts"
import { namesOf, subject } from "./subject.ts"
import { summary } from "./summary.ts"
import { parseSweep, withValue } from "./sweep.ts"

interface Values {
  readonly outage: string | undefined
  readonly load: string | undefined
  readonly route: string | undefined
  readonly seed: number
  readonly sweep: string | undefined
  readonly json: boolean
  readonly html: string | undefined
  readonly svg: string | undefined
}

/** What is said of a simulation, in whatever form. */
interface Result {
  readonly title: string
  readonly text: string
  readonly json: unknown
  readonly draw: (() => Html) | undefined
}

/** Simulates a route of each file, or of one file with several values of a parameter, and says what came of it. */
export const simulated = (
  sources: ReadonlyArray<Source>,
  values: Values,
  terminal: Terminal
): Effect.Effect<void, UsageError | Config.ConfigError> =>
  Effect.gen(function* () {
    const [first, ...others] = sources
    const { draw, json, text, title } =
      values.sweep !== undefined && others.length === 0
        ? yield* swept(first!, values.sweep, values, terminal)
        : others.length === 0
          ? yield* one(first!, values, terminal)
          : yield* several(sources, values, terminal)
    const wanted = values.html ?? values.svg
    if (wanted !== undefined && draw === undefined) {
      return yield* new UsageError({ reason: `cannot draw ${wanted}`, remedy: "draw one file at a time" })
    }
    terminal.print(values.json ? JSON.stringify(json, null, 2) : text)
    if (values.html !== undefined && draw !== undefined)
      yield* writeText(values.html, page(draw(), title, text))
    if (values.svg !== undefined && draw !== undefined) yield* writeText(values.svg, svgFile(draw()))
  })

const one = (source: Source, values: Values, terminal: Terminal) =>
  Effect.gen(function* () {
    const route = yield* routeOf(source, values.route)
    const names = namesOf([source.config])
    const script = yield* scriptOf(source, route, names, values)
    const report = yield* run(source.config, route, names, script, values.seed, terminal)
    const title = `${route} of ${source.name} under ${weather(values)}`
    const result: Result = {
      title,
      text: summary(report, title),
      json: report,
      draw: () => picture(report, script, title)
    }
    return result
  })

const several = (sources: ReadonlyArray<Source>, values: Values, terminal: Terminal) =>
  Effect.gen(function* () {
    const [first] = sources
    if (values.sweep !== undefined) {
      return yield* new UsageError({ reason: "cannot sweep several files", remedy: "give one of them" })
    }
    const names = namesOf(sources.map(({ config }) => config))
    const route = yield* routeOf(first!, values.route)
    const script = yield* scriptOf(first!, route, names, values)
    const rows = yield* Effect.forEach(sources, (source) =>
      Effect.gen(function* () {
        const route = yield* routeOf(source, values.route)
        const report = yield* run(source.config, route, names, script, values.seed, terminal)
        return { name: source.name, report }
      })
    )
    return told(rows, "policy", `${route} under ${weather(values)}, seed ${values.seed}`, undefined)
  })

const swept = (source: Source, text: string, values: Values, terminal: Terminal) =>
  Effect.gen(function* () {
    const { parameter, path, values: each } = yield* parseSweep(text)
    const route = yield* routeOf(source, values.route ?? (path[0] === "routes" ? path[1] : undefined))
    const names = namesOf([source.config])
    const script = yield* scriptOf(source, route, names, values)
    let nowhere = false
    const rows = yield* Effect.forEach(each, (value) =>
      Effect.gen(function* () {
        const config = yield* Config.parseChanged(source.text, source.name, terminal.env, (data) =>
          Option.getOrElse(withValue(data, path, value), () => {
            nowhere = true
            return data
          })
        )
        if (nowhere) {
          const remedy = "name keys of the file, such as routes.chat.tiers.0.timeout"
          return yield* new UsageError({ reason: `there is no ${parameter}`, remedy })
        }
        const report = yield* run(config, route, names, script, values.seed, terminal)
        return { name: String(value), report }
      })
    )
    const title = `${route} of ${source.name} under ${weather(values)}, by ${parameter}`
    return told(rows, parameter.split(".").at(-1)!, title, () => curve(rows, title))
  })

const told = (rows: ReadonlyArray<Row>, what: string, title: string, draw: Result["draw"]): Result => ({
  title,
  text: `${title}\n\n${comparison(rows, what)}`,
  json: rows,
  draw
})

const weather = ({ outage }: Values): string => outage ?? "a bad half hour"

const routeOf = (
  { config, name: file }: Source,
  name: string | undefined
): Effect.Effect<string, UsageError> => {
  const known = Object.keys(config.routes)
  if (name === undefined) return Effect.succeed(known[0]!)
  return known.includes(name)
    ? Effect.succeed(name)
    : new UsageError({ reason: `no route "${name}" in ${file}`, remedy: suggest(name, known) })
}

const scriptOf = (
  { config }: Source,
  route: string,
  names: ReadonlyArray<string>,
  { load, outage }: Values
): Effect.Effect<Script.Script, Config.ConfigError> =>
  Effect.gen(function* () {
    const script =
      outage === undefined
        ? yield* parseScript(defaultScript(config.routes[route]!), "the default outage", names)
        : yield* loadScript(outage, names)
    return load === undefined ? script : { ...script, load: yield* loadLoad(load) }
  })

const run = (
  config: Config.Config,
  route: string,
  names: ReadonlyArray<string>,
  script: Script.Script,
  seed: number,
  { progress }: Terminal
): Effect.Effect<Simulation.Report> =>
  Simulation.runEffect(subject(config, route, names), {
    script,
    seed,
    onProgress: progress && ((share) => progress(share === 1 ? "" : `simulated ${percent(share)}`))
  })
