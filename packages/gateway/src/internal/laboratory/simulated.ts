import { type Script, Simulation } from "@understudy/core/testing"
import * as Effect from "effect/Effect"
import type * as Config from "../../Config.ts"
import { type Source, type Terminal, UsageError, writeText } from "../command/command.ts"
import { suggest } from "../nearest.ts"
import { percent } from "../percent.ts"
import { defaultScript } from "./defaultScript.ts"
import { page, picture, svgFile } from "./picture.ts"
import { loadLoad, loadScript, parseScript } from "./scriptText.ts"
import { subject } from "./subject.ts"
import { summary } from "./summary.ts"

interface Values {
  readonly outage: string | undefined
  readonly load: string | undefined
  readonly route: string | undefined
  readonly seed: number
  readonly json: boolean
  readonly html: string | undefined
  readonly svg: string | undefined
}

/** Simulates one route and says what came of it, in whatever form. */
export const simulated = (
  { config, name }: Source,
  values: Values,
  terminal: Terminal
): Effect.Effect<void, UsageError | Config.ConfigError> =>
  Effect.gen(function* () {
    const route = yield* routeOf(config, values.route)
    const script = yield* scriptOf(config, route, values)
    const report = yield* run(config, route, script, values.seed, terminal)
    const title = `${route} of ${name} under ${values.outage ?? "a bad half hour"}`
    const text = summary(report, title)
    terminal.print(values.json ? JSON.stringify(report, null, 2) : text)
    if (values.html === undefined && values.svg === undefined) return
    const drawn = picture(report, script, title)
    if (values.html !== undefined) yield* writeText(values.html, page(drawn, title, text))
    if (values.svg !== undefined) yield* writeText(values.svg, svgFile(drawn))
  })

export const routeOf = (
  { routes }: Config.Config,
  name: string | undefined
): Effect.Effect<string, UsageError> => {
  const known = Object.keys(routes)
  if (name === undefined) return Effect.succeed(known[0]!)
  return known.includes(name)
    ? Effect.succeed(name)
    : new UsageError({ reason: `no route "${name}"`, remedy: suggest(name, known) })
}

export const scriptOf = (
  config: Config.Config,
  route: string,
  { load, outage }: Pick<Values, "load" | "outage">
): Effect.Effect<Script.Script, Config.ConfigError> =>
  Effect.gen(function* () {
    const script =
      outage === undefined
        ? yield* parseScript(defaultScript(config.routes[route]!), "the default outage", config)
        : yield* loadScript(outage, config)
    return load === undefined ? script : { ...script, load: yield* loadLoad(load) }
  })

export const run = (
  config: Config.Config,
  route: string,
  script: Script.Script,
  seed: number,
  { progress }: Terminal
): Effect.Effect<Simulation.Report> =>
  Simulation.runEffect(subject(config, route), {
    script,
    seed,
    onProgress: progress && ((share) => progress(share === 1 ? "" : `simulated ${percent(share)}`))
  })
