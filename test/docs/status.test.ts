import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ask, get } from "../support/caller.ts"
import { eventually } from "../support/eventually.ts"
import { chat, gateway } from "../support/gateway.ts"
import { fails, wall } from "../support/wall.ts"
import { table } from "./guide.ts"

const guide = readFileSync(join(import.meta.dirname, "../../docs/status.md"), "utf8")

/** The fields that the guide lists below a heading. */
const listed = (heading: string): ReadonlyArray<string> =>
  table(guide.slice(guide.indexOf(`${heading}\n`)), "field").flatMap(([cell = ""]) =>
    [...cell.matchAll(/`([\w.]+)(?:\[\])?`/g)].map(([, name = ""]) => name)
  )

/** The names in a value; of what is in an object, with the object's. */
const names = (value: object): ReadonlyArray<string> =>
  Object.entries(value).flatMap(([name, inner]) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? names(inner).map((deeper) => `${name}.${deeper}`)
      : [name]
  )

describe("the guide to the status", () => {
  it.scopedLive("lists the fields that there are, and the log has the line that it shows", () =>
    Effect.gen(function* () {
      const [first, second] = [yield* wall, yield* wall]
      first.script(fails(500))
      const { log, probes, url } = yield* gateway(
        `${chat([first.url, second.url], {
          tier: "retry: { times: 0 }",
          route: "alert: { tier: tier1, atLeast: 1 }"
        })}\nprobe: { every: 1s }`
      )
      yield* ask(url)
      yield* eventually(() => probes.some(({ message, tier }) => message === "run" && tier === "tier2"))
      const status = JSON.parse((yield* get(url, "/status")).text)
      const route = status.routes[0]
      assert.sameMembers([...listed("## `GET /status`")], [...names(status)])
      assert.sameMembers([...listed("### Of a route")], [...names(route)])
      assert.sameMembers(
        [...listed("### Of a tier and a model")],
        [...new Set([...names(route.tiers[0]), ...names(status.models[0])])]
      )
      assert.sameMembers([...listed("### Of an alert")], [...names(status.alerts[0])])
      const line = probes.findLast(({ message, tier }) => message === "attempt" && tier === "tier2") ?? {}
      assert.sameMembers(
        [...listed("### Of a synthetic check")],
        names(status.probes.at(-1)).filter((name) => !Object.hasOwn(line, name))
      )

      yield* eventually(() => log.some(({ message }) => message === "alert"))
      const shown = /^```json\n([\s\S]*?)\n```$/m.exec(guide)?.[1] ?? ""
      assert.deepStrictEqual(Object.keys(log.at(-1) ?? {}), Object.keys(JSON.parse(shown)))
    })
  )
})
