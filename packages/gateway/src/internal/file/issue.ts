import * as Option from "effect/Option"
import type * as ParseResult from "effect/ParseResult"
import * as Predicate from "effect/Predicate"
import * as AST from "effect/SchemaAST"
import type { Path } from "./fault.ts"
import { suggest } from "./nearest.ts"

/**
 * A decoding failure in the terms of the file's author.
 */
export interface Problem {
  readonly path: Path
  readonly on: "key" | "value"
  readonly reason: string
  readonly remedy: string
}

/**
 * Reads a decoding failure. Of the refused value it tells only what `written` gives for the path: the value
 * itself may be a key that came from the environment.
 */
export const problem = (
  issue: ParseResult.ParseIssue,
  written: (path: Path) => string | undefined
): Problem => {
  const walk = (issue: ParseResult.ParseIssue, path: Path, expected: string | undefined): Problem => {
    switch (issue._tag) {
      case "Pointer":
        return walk(issue.issue, path.concat(issue.path), undefined)
      case "Composite": {
        const first = firstOf(issue)
        if (first._tag === "Pointer" && first.issue._tag === "Unexpected") {
          return unknownKey(path.concat(first.path), issue.ast)
        }
        return literalsOf(issue.ast).length > 0
          ? refused(path, issue.ast, issue.actual, expected, written)
          : walk(first, path, expected)
      }
      case "Refinement":
      case "Transformation":
        return walk(issue.issue, path, expected ?? descriptionOf(issue.ast))
      case "Missing":
        return missing(path, issue.ast)
      case "Type":
        return issue.message === undefined
          ? refused(path, issue.ast, issue.actual, expected, written)
          : { path, on: "value", ...sentence(issue.message) }
      default:
        return { path, on: "value", reason: "not allowed here", remedy: "remove it" }
    }
  }
  return walk(issue, [], undefined)
}

// A key that is left out may be undefined: that member of the union has nothing to say. Of words and mappings, a
// mapping was meant where there is one.
const firstOf = ({ actual, ast, issues }: ParseResult.Composite): ParseResult.ParseIssue => {
  const all = "_tag" in issues ? [issues] : issues
  const meant =
    AST.isUnion(ast) && Predicate.isReadonlyRecord(actual)
      ? all.find(
          (issue) =>
            (issue._tag === "Composite" || issue._tag === "Refinement" || issue._tag === "Transformation") &&
            isStructure(issue.ast)
        )
      : undefined
  return (
    meant ?? all.find((issue) => !(issue._tag === "Type" && AST.isUndefinedKeyword(issue.ast))) ?? all[0]!
  )
}

const unknownKey = (path: Path, ast: AST.AST): Problem => {
  const known = AST.isTypeLiteral(ast) ? ast.propertySignatures.map(({ name }) => String(name)) : []
  return { path, on: "key", reason: "unknown key", remedy: suggest(String(path.at(-1)), known) }
}

const missing = (path: Path, ast: AST.Type): Problem => {
  const last = path.at(-1)
  if (typeof last !== "number") {
    return { path, on: "value", reason: "missing key", remedy: `add "${String(last)}" here` }
  }
  const remedy = Option.map(AST.getMissingMessageAnnotation(ast), (message) => String(message()))
  return {
    path: path.slice(0, -1),
    on: "value",
    reason: "empty list",
    remedy: Option.getOrElse(remedy, () => "expected at least one entry")
  }
}

const refused = (
  path: Path,
  ast: AST.AST,
  actual: unknown,
  expected: string | undefined,
  written: (path: Path) => string | undefined
): Problem => {
  const remedy = `expected ${expected ?? shapeOf(ast)}`
  if (actual === null) return { path, on: "value", reason: "no value", remedy }
  // Not shown if a list or a mapping is expected, since the value may be a key.
  const text = isStructure(ast) ? undefined : written(path)
  if (text === undefined) return { path, on: "value", reason: `cannot use this ${kindOf(actual)}`, remedy }
  const literals = literalsOf(ast)
  if (literals.length === 0) return { path, on: "value", reason: `cannot use ${quote(text, actual)}`, remedy }
  const known = literals.map(({ literal }) => String(literal))
  const noun = Option.firstSomeOf([ast, ...literals].map(AST.getTitleAnnotation))
  const reason = `unknown ${Option.getOrElse(noun, () => String(path.at(-1)))} ${quote(text, actual)}`
  return { path, on: "value", reason, remedy: suggest(text, known) }
}

/**
 * A scalar of the file as one short piece of a line.
 */
export const quote = (written: string, actual: unknown): string => {
  const short = written.length > 40 ? `${written.slice(0, 40)}…` : written
  return typeof actual === "string" ? JSON.stringify(short) : short
}

const kindOf = (actual: unknown): string =>
  Array.isArray(actual) ? "list" : typeof actual === "object" ? "mapping" : "value"

const literalsOf = (ast: AST.AST): ReadonlyArray<AST.Literal> => {
  const members = AST.isUnion(ast) ? ast.types.filter((type) => !AST.isUndefinedKeyword(type)) : [ast]
  return members.every(AST.isLiteral) ? members : []
}

const isStructure = (ast: AST.AST): boolean =>
  AST.isTypeLiteral(ast) ||
  AST.isTupleType(ast) ||
  (AST.isUnion(ast) && ast.types.some(isStructure)) ||
  ((AST.isRefinement(ast) || AST.isTransformation(ast)) && isStructure(ast.from))

const shapeOf = (ast: AST.AST): string => {
  const literals = literalsOf(ast)
  if (literals.length > 0) return `one of ${literals.map(({ literal }) => String(literal)).join(", ")}`
  if (AST.isTupleType(ast)) return "a list"
  if (isStructure(ast)) return "a mapping"
  if (AST.isBooleanKeyword(ast)) return "true or false"
  if (AST.isStringKeyword(ast)) return "text, in quotes if it looks like a number"
  return descriptionOf(ast) ?? "another value"
}

const descriptionOf = (ast: AST.Annotated): string | undefined =>
  Option.getOrUndefined(AST.getDescriptionAnnotation(ast))

const sentence = (message: string): Pick<Problem, "reason" | "remedy"> => {
  const [reason = message, remedy = "correct it"] = message.split("; ")
  return { reason, remedy }
}
