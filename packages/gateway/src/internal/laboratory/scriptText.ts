import { Script } from "@understudy/core/testing"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as Config from "../../Config.ts"
import * as Document from "../file/document.ts"
import { type Problem, quote } from "../file/issue.ts"
import { suggest } from "../file/nearest.ts"
import type { Source } from "../file/yaml.ts"
import { kinds } from "./subject.ts"

/** Reads a script, which may name these tiers and providers. */
export const parseScript = (
  text: string,
  file: string,
  names: ReadonlyArray<string>
): Either.Either<Script.Script, Config.ConfigError> => {
  const known = new Set(names)
  const check = (script: Script.Script, source: Source) => unknown(script, source, known)
  return inFile(file, Document.read({ decode: decodeScript, check }, text, {}))
}

/** Reads a file of a script. */
export const loadScript = (
  path: string,
  names: ReadonlyArray<string>
): Effect.Effect<Script.Script, Config.ConfigError> =>
  Effect.flatMap(Config.textOf(path), (text) => parseScript(text, path, names))

/** A load: a number of requests a second, or a file that says more. */
export const loadLoad = (given: string): Effect.Effect<Script.Load, Config.ConfigError> =>
  /^\d+(\.\d+)?$/.test(given)
    ? inFile(given, Document.read({ decode: decodeLoad }, `rate: ${given}`, {}))
    : Effect.flatMap(Config.textOf(given), (text) =>
        inFile(given, Document.read({ decode: decodeLoad }, text, {}))
      )

const decodeScript = Schema.decodeUnknownEither(Script.struct(kinds))
const decodeLoad = Schema.decodeUnknownEither(Script.Load)

const inFile = <A>(
  file: string,
  read: ReturnType<typeof Document.read<A>>
): Either.Either<A, Config.ConfigError> =>
  Either.mapLeft(read, (fault) => new Config.ConfigError({ file, ...fault }))

const unknown = (
  { events, groups, upstreams }: Script.Script,
  { written }: Source,
  known: ReadonlySet<string>
): Problem | undefined => {
  const told = (path: Problem["path"], on: Problem["on"], name: string): Problem => ({
    path,
    on,
    reason: `unknown tier or provider ${quote(on === "key" ? name : (written(path) ?? name), name)}`,
    remedy: suggest(name, [...known, ...Object.keys(groups)])
  })
  const upstream = Object.keys(upstreams).find((name) => !known.has(name))
  if (upstream !== undefined) return told(["upstreams", upstream], "key", upstream)
  for (const [group, members] of Object.entries(groups)) {
    const index = members.findIndex((name) => !known.has(name))
    if (index >= 0) return told(["groups", group, index], "value", members[index]!)
  }
  for (const [index, { of }] of events.entries()) {
    const name = of.find((name) => !known.has(name) && !Object.hasOwn(groups, name))
    if (name !== undefined) return told(["events", index, "of"], "value", name)
  }
  return undefined
}
