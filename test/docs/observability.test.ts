import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Alerts } from "@understudy/otel"
import { Effect } from "effect"
import { ask, chatBody, get } from "../support/caller.ts"
import { chat, gateway } from "../support/gateway.ts"
import { fails, wall } from "../support/wall.ts"
import { code, table } from "./guide.ts"

const guide = readFileSync(join(import.meta.dirname, "../../docs/observability.md"), "utf8")

describe("the guide to what can be seen", () => {
  it.scopedLive("lists every metric with its type and labels", () =>
    Effect.gen(function* () {
      const [first, second] = [yield* wall, yield* wall]
      first.script(fails(503))
      const { url } = yield* gateway(
        chat([first.url, second.url], {
          tier: "breaker: { consecutive: 1 }",
          route: "alert: { tier: tier1 }"
        })
      )
      for (const stream of [false, true]) yield* ask(url, { body: chatBody({ stream }) })
      const lines = (yield* get(url, "/metrics")).text.split("\n")
      const metrics = lines
        .filter((line) => line.startsWith("# TYPE"))
        .map((line) => {
          const [, , name = "", type = ""] = line.split(" ")
          const sample = lines.find((line) =>
            line.startsWith(`${name}${type === "histogram" ? "_count" : ""}{`)
          )
          const labels = [...(sample?.matchAll(/[{,](\w+)="/g) ?? [])].map(([, label = ""]) => code(label))
          return [code(name), type, labels.join(", ")]
        })
      assert.sameDeepMembers([...table(guide, "name")] as unknown as typeof metrics, metrics)
    })
  )

  it("asks Prometheus what the rules ask", () => {
    const recorded = Alerts.rules([]).flatMap(({ rules }) => rules.map(({ expr }) => expr))
    const shown = [...guide.matchAll(/```promql\n(.*)\n```/g)].map(([, expr]) => expr)
    assert.lengthOf(shown, 4)
    assert.includeMembers(recorded, shown as never)
  })
})
