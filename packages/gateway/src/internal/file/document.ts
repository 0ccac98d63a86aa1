import { readFile } from "node:fs/promises"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as ParseResult from "effect/ParseResult"
import * as Predicate from "effect/Predicate"
import { type Fault, formatPath, type Path } from "./fault.ts"
import { type Problem, problem } from "./issue.ts"
import * as Yaml from "./yaml.ts"

/** How the text of a file becomes what it says. */
export interface Reader<A> {
  readonly decode: (data: unknown) => Either.Either<A, ParseResult.ParseError>
  /** What of a value that was refused may be shown. Default: all of it, as it was written. */
  readonly shown?: (path: Path, source: Yaml.Source) => string | undefined
  /** What no schema can say. */
  readonly check?: (value: A, source: Yaml.Source) => Problem | undefined
}

/** Reads one YAML document, or reports where it is wrong, why, and a remedy. */
export const read = <A>(
  { check, decode, shown = (path, { written }) => written(path) }: Reader<A>,
  text: string,
  env: Yaml.Env,
  /** What to make of the data before it is decoded. */
  change: (data: unknown) => unknown = (data) => data
): Either.Either<A, Fault> =>
  Either.flatMap(Yaml.read(text, env), (source) =>
    decode(change(source.data)).pipe(
      Either.mapLeft((error) => problem(error.issue, (path) => shown(path, source))),
      Either.flatMap((value) => {
        const wrong = check?.(value, source)
        return wrong === undefined ? Either.right(value) : Either.left(wrong)
      }),
      Either.mapLeft(({ path, on, ...rest }) => ({
        ...source.place(path, on),
        path: formatPath(path),
        ...rest
      }))
    )
  )

/** Reads the text of a file, or reports why it cannot be read. */
export const textOf = (
  path: string
): Effect.Effect<string, { readonly reason: string; readonly remedy: string }> =>
  Effect.tryPromise({
    try: () => readFile(path, "utf8"),
    catch: (error) =>
      Predicate.hasProperty(error, "code") && error.code === "ENOENT"
        ? { reason: "no such file", remedy: "check the path" }
        : { reason: "cannot be read", remedy: "check that it is a file and who may read it" }
  })
