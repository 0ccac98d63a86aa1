import { setFlagsFromString } from "node:v8"
import * as Either from "effect/Either"
import * as Yaml from "yaml"
import { type Fault, formatPath, type Path } from "./fault.ts"

/**
 * A YAML text as plain data, with the source position of every part.
 */
export interface Source {
  readonly data: unknown
  /** The position of a key or its value; for a missing path, that of its nearest ancestor. */
  readonly place: (path: Path, on: "key" | "value") => Pick<Fault, "line" | "column">
  /** A scalar as it was written, `${NAME}` and not what it stands for. */
  readonly written: (path: Path) => string | undefined
}

export type Env = Readonly<Record<string, string | undefined>>

/**
 * Reads one YAML document and replaces `${NAME}` in its strings by the environment's values.
 */
export const read = (text: string, env: Env): Either.Either<Source, Fault> => {
  // As UTF-16 has it, in which some editors save. YAML would make one long word of it.
  if (text.includes("\0")) return Either.left({ line: 1, column: 1, path: "", ...foreign })
  const lines = new Yaml.LineCounter()
  const document = unoptimised(() =>
    Yaml.parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true })
  )
  const placeOf = (offset: number): Pick<Fault, "line" | "column"> => {
    const { line, col } = lines.linePos(offset)
    return line === 0 ? { line: 1, column: offset + 1 } : { line, column: col }
  }
  const source = (data: unknown): Source => ({
    data,
    place: (path, on) => {
      const { key, value } = find(document, path)
      return placeOf((on === "key" ? key : value)?.range?.[0] ?? 0)
    },
    written: (path) => {
      const { value, found } = find(document, path)
      return found && Yaml.isScalar(value) ? value.source : undefined
    }
  })

  const [broken] = [...document.errors, ...document.warnings].sort((a, b) => a.pos[0] - b.pos[0])
  if (broken !== undefined) {
    const place = placeOf(broken.pos[0])
    // In { } and [ ] the braces of ${NAME} are YAML's own.
    const variable = text.split("\n")[place.line - 1]?.includes("${") === true
    const reason = variable ? unquoted : (syntax[broken.code] ?? invalid)
    return Either.left({ ...place, path: "", ...reason })
  }
  const wrong = substitute(document, env)
  if (wrong !== undefined) {
    const { node, ancestors, ...rest } = wrong
    const path = formatPath(pathTo(ancestors, node))
    return Either.left({ ...placeOf(node.range?.[0] ?? 0), path, ...rest })
  }
  return Either.try({
    try: () => source(document.toJS()),
    // Too many aliases of aliases: no file of ours has them.
    catch: () => ({ ...placeOf(0), path: "", ...invalid })
  })
}

/** V8 would compile the parser's long loops while they run, which takes it longer than they still take. */
const unoptimised = <A>(run: () => A): A => {
  setFlagsFromString("--no-opt")
  try {
    return run()
  } finally {
    setFlagsFromString("--opt")
  }
}

type Reason = Pick<Fault, "reason" | "remedy">

// The parser's own messages quote the text, which may contain a key.
const invalid: Reason = {
  reason: "not valid YAML",
  remedy: "check the quotes, brackets and indentation here"
}

const foreign: Reason = { reason: "not text in UTF-8", remedy: "save it as UTF-8" }

const unquoted: Reason = {
  reason: "not valid YAML",
  remedy: `put "\${NAME}" in quotes, or check the brackets and indentation here`
}

const syntax: Partial<Record<Yaml.ErrorCode, Reason>> = {
  DUPLICATE_KEY: { reason: "duplicate key", remedy: "keep one of the two" },
  TAB_AS_INDENT: { reason: "not valid YAML", remedy: "indent with spaces instead of tabs" },
  BAD_INDENT: { reason: "not valid YAML", remedy: "align the indentation with the lines above" },
  BLOCK_AS_IMPLICIT_KEY: { reason: "not valid YAML", remedy: 'put text with ": " in it in quotes' },
  MULTIPLE_DOCS: { reason: "more than one document", remedy: "keep one, without ---" },
  NON_STRING_KEY: { reason: "a key that is no text", remedy: "put it in quotes" },
  TAG_RESOLVE_FAILED: { reason: "unknown tag", remedy: "remove the word with !, or put the text in quotes" }
}

interface Wrong extends Reason {
  readonly node: Yaml.Node
  readonly ancestors: ReadonlyArray<unknown>
}

const substitute = (document: Yaml.Document.Parsed, env: Env): Wrong | undefined => {
  let wrong: Wrong | undefined
  Yaml.visit(document, {
    Alias: (_, node, ancestors) => {
      if (node.resolve(document) !== undefined) return undefined
      wrong = { node, ancestors, reason: "unknown alias", remedy: "set its anchor with & further up" }
      return Yaml.visit.BREAK
    },
    Scalar: (position, node, ancestors) => {
      if (position === "key" || typeof node.value !== "string") return undefined
      const replaced = replace(node.value, env)
      if (Either.isRight(replaced)) {
        node.value = replaced.right
        return undefined
      }
      wrong = { node, ancestors, ...replaced.left }
      return Yaml.visit.BREAK
    }
  })
  return wrong
}

const replace = (text: string, env: Env): Either.Either<string, Reason> => {
  let wrong: Reason | undefined
  let named = ""
  const replaced = text.replace(/\$\{(?:([A-Za-z_]\w*)\})?/g, (_, name: string | undefined) => {
    const value = name === undefined ? undefined : env[name]
    named = name ?? named
    wrong ??=
      name === undefined
        ? { reason: "cannot read what follows ${", remedy: `write \${NAME} with letters, digits and _` }
        : value === undefined
          ? { reason: `environment variable ${name} is not set`, remedy: "set it before the start" }
          : undefined
    return value ?? ""
  })
  // Nothing that comes from outside is meant to be nothing.
  if (named !== "" && replaced.trim() === "") {
    wrong ??= { reason: `environment variable ${named} is empty`, remedy: "set it before the start" }
  }
  return wrong === undefined ? Either.right(replaced) : Either.left(wrong)
}

const pathTo = (ancestors: ReadonlyArray<unknown>, node: Yaml.Node): Path =>
  ancestors.flatMap((ancestor, index): Path => {
    if (Yaml.isPair(ancestor)) return [String(ancestor.key)]
    return Yaml.isSeq(ancestor) ? [ancestor.items.indexOf(ancestors[index + 1] ?? node)] : []
  })

interface Found {
  readonly key: Yaml.Node | undefined
  readonly value: Yaml.Node | undefined
  readonly found: boolean
}

const find = (document: Yaml.Document.Parsed, path: Path): Found => {
  let at: Found = { key: undefined, value: document.contents ?? undefined, found: true }
  for (const step of path) {
    const node = Yaml.isAlias(at.value) ? at.value.resolve(document) : at.value
    const pair = Yaml.isMap(node) ? node.items.find((item) => String(item.key) === String(step)) : undefined
    const value = Yaml.isSeq(node) && typeof step === "number" ? node.items[step] : pair?.value
    if (pair === undefined && value === undefined) return { ...at, found: false }
    at = {
      key: Yaml.isNode(pair?.key) ? pair.key : at.key,
      value: Yaml.isNode(value) ? value : undefined,
      found: true
    }
  }
  return at
}
