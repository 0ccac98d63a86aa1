import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Config } from "@understudy/gateway"
import { Effect, Either } from "effect"
import { ajv, objections, schema } from "../support/schema.ts"

const root = join(import.meta.dirname, "../..")
const guides = [
  "README.md",
  ...["core", "http", "otel", "gateway"].map((name) => `packages/${name}/README.md`),
  ...readdirSync(join(root, "docs")).map((name) => `docs/${name}`)
]
const validate = ajv.compile(await Effect.runPromise(schema))

/** Any variable has a value that is good for all there is. */
const env = new Proxy({}, { get: () => "https://example.com" })

/** Of a file that shows a part alone, the rest: a route to each of its providers, or the provider it asks. */
const whole = (text: string): string => {
  const names = [...text.matchAll(/^ {2}([\w-]+):/gm)].map(([, name]) => name)
  if (text.includes("routes:")) return text
  return `${text}\nroutes:\n${names.map((name) => `  r-${name}: { tiers: [ { name: t, provider: ${name}, model: m } ] }`).join("\n")}`
}

describe("every file in the guides is one that the gateway takes, and so does its JSON Schema", () => {
  for (const guide of guides) {
    const text = readFileSync(join(root, guide), "utf8")
    // What the simulator reads is no file of the gateway's; the guide to it runs its own.
    const files = [...text.matchAll(/^```yaml\n(?!# outage)([\s\S]*?)^```$/gm)]
    for (const [index, match] of files.entries()) {
      it(`${guide}, file ${index + 1}`, () => {
        const file = whole(match[1] ?? "")
        const config = Config.parse(file, guide, env)
        assert.isTrue(Either.isRight(config), Either.isLeft(config) ? config.left.message : "")
        assert.deepStrictEqual(objections(validate, file), [])
      })
    }
  }
})

const programs = ["examples", "packages/gateway/src", "packages/gateway/src/internal/file"].flatMap(
  (folder) =>
    readdirSync(join(root, folder))
      .filter((name) => name.endsWith(".ts"))
      .map((name) => `${folder}/${name}`)
)

describe("every file in a program is one that the JSON Schema takes", () => {
  const found = programs.flatMap((program) => {
    const text = readFileSync(join(root, program), "utf8").replaceAll(/^ \* ?/gm, "")
    return [...text.matchAll(/`\n?((?:server|providers):[^`]*routes:[^`]*tiers:[^`]*)`/g)].map(
      ([, file = ""], index) => [`${program}, file ${index + 1}`, file] as const
    )
  })

  it.each(found)("%s", (_, file) => assert.deepStrictEqual(objections(validate, file), []))

  it("the embedded policy among them", () =>
    assert.include(found.map(([name]) => name).join(), "sandboxPolicy"))
})
