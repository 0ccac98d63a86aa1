import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Config } from "@understudy/gateway"
import { Effect, Either, Schema } from "effect"
import { command } from "../support/program.ts"
import { code, table } from "./guide.ts"

const guide = readFileSync(join(import.meta.dirname, "../../docs/gateway.md"), "utf8")

/** The rows of a table: the keys of the first cell, and the second one. */
const rows = (head: string) =>
  table(guide, head).map(
    ([cell = "", value = ""]) => [[...cell.matchAll(/`(\w+)`/g)].map(([, key]) => key!), value] as const
  )

type Node = Readonly<Record<string, unknown>>

const isNode = (value: unknown): value is Node => typeof value === "object" && value !== null

/** What lies in a schema or a value, key by key. */
const at = (node: unknown, ...path: ReadonlyArray<string>): Node => {
  const found = path.reduce<unknown>((node, key) => (isNode(node) ? node[key] : undefined), node)
  assert(isNode(found), `nothing at ${path.join(".")}`)
  return found
}

const printed = await Effect.runPromise(command(["schema"]))
const schema = JSON.parse(printed.stdout)
const route = at(schema, "properties", "routes", "additionalProperties", "properties")
const tier = at(route, "tiers", "items", "properties")

const minimal = `
providers: { p: { kind: sandbox } }
routes: { r: { tiers: [ { name: t, provider: p, model: m } ] } }
probe: {}
`
const filled = Schema.encodeSync(Config.File)(Either.getOrThrow(Config.parse(minimal, "minimal", {})))

const tables: Readonly<Record<string, readonly [keys: Node, defaults: unknown]>> = {
  server: [at(schema, "properties", "server", "properties"), filled.server],
  route: [route, filled.routes["r"]],
  tier: [tier, { ...filled.routes["r"]?.tiers[0], attemptTimeout: undefined, firstToken: undefined }],
  retry: [at(tier, "retry", "properties"), filled.routes["r"]?.tiers[0].retry],
  breaker: [at(tier, "breaker", "properties"), filled.routes["r"]?.tiers[0].breaker],
  probe: [at(schema, "properties", "probe", "properties"), filled.probe],
  provider: [
    Object.assign(
      {},
      ...Object.values(at(schema, "properties", "providers", "additionalProperties", "anyOf")).map((kind) =>
        at(kind, "properties")
      )
    ),
    { latency: "120ms" }
  ]
}

/** What has to be given has no default. */
const given: ReadonlySet<string> = new Set(["name", "provider", "model"])

const isPlain = (value: unknown): boolean =>
  value !== undefined && (!isNode(value) || (Array.isArray(value) && value.length === 0))

const text = (value: unknown): string => (isNode(value) ? JSON.stringify(value) : String(value))

describe("the reference of the file", () => {
  for (const [name, [keys, defaults]] of Object.entries(tables)) {
    it(`has every key of a ${name}, and its default`, () => {
      const listed = rows(name)
      assert.sameMembers(
        listed.flatMap(([keys]) => keys),
        Object.keys(keys)
      )
      const known = isNode(defaults) ? defaults : {}
      for (const [keys, value] of listed) {
        for (const key of keys.filter((key) => !given.has(key) && isPlain(known[key]))) {
          assert.strictEqual(value, code(text(known[key])), key)
        }
      }
    })
  }
})
