import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { CircuitBreaker, Policy } from "@understudy/core"
import { Config } from "@understudy/gateway"
import { Effect, Either, Record, Schema } from "effect"
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

/** What the file of a breaker comes to with all that it leaves to its default. */
const breaker = (fields: string): Node => {
  const file = minimal.replace("model: m", `model: m, breaker: ${fields}`)
  const filled = Schema.encodeSync(Config.File)(Either.getOrThrow(Config.parse(file, "breaker", {})))
  return at(filled, "routes", "r", "tiers", "0", "breaker")
}

/** Of what is written out only where it is not the default. */
const { failuresToOpen, lease, observeOnly, resetAfter, successesToClose } = CircuitBreaker.config()
const unwritten = {
  failuresToOpen,
  lease: Schema.encodeSync(Policy.DurationText)(lease),
  observeOnly,
  resetAfter: Schema.encodeSync(Policy.DurationText)(resetAfter),
  successesToClose
}

const tables: Readonly<Record<string, readonly [keys: Node, defaults: unknown]>> = {
  server: [at(schema, "properties", "server", "properties"), filled.server],
  route: [route, filled.routes["r"]],
  tier: [tier, { ...filled.routes["r"]?.tiers[0], attemptTimeout: undefined, firstToken: undefined }],
  retry: [at(tier, "retry", "properties"), filled.routes["r"]?.tiers[0].retry],
  breaker: [at(tier, "breaker", "properties"), { ...unwritten, ...breaker("{}") }],
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
          assert.strictEqual(value.split(", ")[0], code(text(known[key])), key)
        }
      }
    })
  }

  it("has every key of what a breaker looks back on, and its default", () => {
    const { minimumCalls, ...calls } = at(breaker("{ rate: {} }"), "rate")
    const time = at(breaker("{ rate: { window: 1m } }"), "rate")
    assert.strictEqual(minimumCalls, calls["size"])
    assert.strictEqual(at(breaker("{ rate: { size: 7 } }"), "rate")["minimumCalls"], 7)
    const defaults: Readonly<Record<string, string>> = {
      ...Record.map({ ...time, ...calls }, (value) => code(text(value))),
      minimumCalls: `as ${code("size")}, or ${code(text(time["minimumCalls"]))} with a ${code("window")}`,
      window: "none",
      after: "has to be given"
    }
    const keys = ["rate", "slow"].flatMap((name) =>
      Object.keys(at(tier, "breaker", "properties", name, "properties"))
    )
    assert.sameDeepMembers(
      rows("`rate` and `slow`").map(([[key], value]) => [key, value]),
      [...new Set(keys)].map((key) => [key, defaults[key]])
    )
  })

  it("has every limit that is fixed", () => {
    const fixed = limits.map(([of, file, pattern]) => {
      const source = readFileSync(join(import.meta.dirname, "../../packages", file), "utf8")
      const [, amount = ""] = pattern.exec(source) ?? []
      return [of, amountOf(amount)]
    })
    assert.deepStrictEqual(
      table(guide, "what").map((row) => row.slice(0, 2)),
      fixed
    )
  })
})

const limits: ReadonlyArray<readonly [of: string, file: string, pattern: RegExp]> = [
  ["a request's headers", "gateway/src/internal/network/refusals.ts", /maxHeaderSize = (.*)/],
  ["time to receive them", "gateway/src/Server.ts", /headersTimeout: (.*),/],
  ["time to receive a whole request", "gateway/src/Server.ts", /requestTimeout: (.*),/],
  ["nesting of a request's JSON", "http/src/internal/bytes/depth.ts", /(maxDepth = .*)/],
  ["idle time of a connection", "gateway/src/Server.ts", /keepAlive \?\? (Duration\.seconds\(\d+\))/],
  [
    "pipelined requests waiting on a connection",
    "gateway/src/internal/network/queues.ts",
    /(mostQueued = .*)/
  ],
  ["time to connect to an upstream", "gateway/src/Server.ts", /connectWithin = (.*)/],
  ["an upstream's whole answer", "http/src/internal/provider/dialect.ts", /maxAnswerBytes = (.*)/],
  ["nesting of its JSON", "http/src/internal/bytes/depth.ts", /(maxDepth = .*)/],
  ["the body of an upstream's error", "http/src/internal/provider/dialect.ts", /maxErrorBytes = (.*)/],
  ["time to receive it", "http/src/internal/provider/dialect.ts", /errorWithin = (.*)/],
  ["one event of a stream", "http/src/Sse.ts", /maxEventBytes \?\? (.*)/],
  ["nesting of its JSON", "http/src/internal/bytes/depth.ts", /(maxDepth = .*)/],
  [
    "what a stream sends before its first content",
    "http/src/internal/stream/chatStream.ts",
    /maxPreambleBytes = (.*)/
  ],
  ["time after a stream's last `finish_reason`", "http/src/internal/stream/grace.ts", /grace = (.*)/]
]

/** As the guide writes what the source does: bytes, milliseconds, a duration in words, levels, or requests. */
const amountOf = (source: string): string => {
  const seconds = /^"(\d+) seconds"$|^Duration\.seconds\((\d+)\)$/.exec(source)
  if (seconds !== null) return `${seconds[1] ?? seconds[2]} s`
  if (source.startsWith("maxDepth = ")) return `${source.replace("maxDepth = ", "")} levels`
  if (source.startsWith("mostQueued = ")) return source.replace("mostQueued = ", "")
  if (!source.includes("*")) return `${Number(source.replace("_", "")) / 1000} s`
  const kibibytes = source.split("*").reduce((product, factor) => product * Number(factor), 1) / 1024
  return kibibytes < 1024 ? `${kibibytes} KiB` : `${kibibytes / 1024} MiB`
}
