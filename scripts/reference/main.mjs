// `npm run reference`: the API reference, made of the docstrings, as HTML in dist/reference; with --check, nothing
// but the check that every public name has what a reader needs.
import { dirname } from "node:path"
import { fileURLToPath } from "node:url"
import { Application, ReflectionKind, TypeDocReader } from "typedoc"

process.chdir(dirname(fileURLToPath(import.meta.url)))
const app = await Application.bootstrapWithPlugins({}, [new TypeDocReader()])
const project = await app.convert()
if (project === undefined) process.exit(1)
app.validate(project)

/** What a module's list of names has room for. What is to be said in detail comes after it. */
const isSummary = ([first]) => first !== undefined && !first.text.startsWith("**")

/** A value is shown in use; a type is, where the values of it are. */
const values = ReflectionKind.Variable | ReflectionKind.Function | ReflectionKind.Class
const named = values | ReflectionKind.Interface | ReflectionKind.TypeAlias

const lacks = (reflection) => {
  const { comment } = reflection.signatures?.[0] ?? reflection
  const tags = ["@since", "@category", ...(reflection.kindOf(values) ? ["@example"] : [])]
  return [
    ...(comment?.hasVisibleComponent() && isSummary(comment.summary) ? [] : ["a summary"]),
    ...tags.filter((tag) => comment?.getTag(tag) === undefined)
  ]
}

for (const module of project.children ?? []) {
  for (const reflection of module.children ?? []) {
    if (!reflection.kindOf(named)) continue
    const missing = lacks(reflection)
    if (missing.length > 0) app.logger.warn(`${module.name} ${reflection.name} lacks ${missing.join(", ")}`)
  }
}

if (!process.argv.includes("--check")) await app.generateOutputs(project)
process.exit(app.logger.hasErrors() || app.logger.hasWarnings() ? 1 : 0)
