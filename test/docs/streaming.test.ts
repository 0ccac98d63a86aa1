import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Config } from "@understudy/gateway"
import { Quirks } from "@understudy/http"
import { Either, Struct } from "effect"
import { table } from "./guide.ts"

const guide = readFileSync(join(import.meta.dirname, "../../docs/streaming.md"), "utf8")

/** Whether a file may have this provider go on from a prefix. */
const takes = (provider: string): boolean =>
  Either.isRight(
    Config.parse(
      `providers: { up: { ${provider}, baseUrl: "http://a" } }
routes: { chat: { tiers: [ { name: a, provider: up, model: m, continue: prefill } ] } }`,
      "test.yaml",
      {}
    )
  )

describe("docs/streaming.md", () => {
  it("says of every kind and dialect whether it goes on from a prefix", () => {
    const rows = table(guide, "provider").map(([provider = "", says = ""]) => [
      provider,
      says.split(/[ ,]/)[0]
    ])
    const known = Struct.keys(Quirks.presets).filter((dialect) => takes(`kind: openai, dialect: ${dialect}`))
    assert.sameDeepMembers(rows, [
      ...known.map((dialect) => [`\`dialect: ${dialect}\``, "yes"]),
      ["`kind: anthropic`", takes("kind: anthropic") ? "yes" : "no"],
      ["`kind: sandbox`", "yes"],
      ["`kind: openai`, all others", takes("kind: openai, prefill: true") ? "not" : "no"],
      ["`kind: azure`", takes("kind: azure") ? "yes" : "no"]
    ])
  })
})
