import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { broken, first, routeOf, stream, upstream, whole } from "../../packages/http/test/continuing.ts"
import { seen } from "../support/tracedRun.ts"

const oops = "data: {oops\n\n"
const hel = [first.role, oops, ...first.says("Hel"), oops, "data: 7\n\n"]

describe("malformed events of a stream, before its first content and after", () => {
  for (const [name, act, ended] of [
    ["that is whole", whole(...hel, ...first.says("lo"), first.stop), "ok"],
    ["that breaks off", broken(...hel), "error"]
  ] as const) {
    it.effect(`are counted on the attempt, and there alone: one ${name}`, () =>
      Effect.gen(function* () {
        const route = yield* routeOf({ provider: upstream(act).provider })
        const tree = (yield* seen(stream(route))).map((line) => line.trim())
        const counted = "understudy.stream.malformed_events=3"
        assert.deepStrictEqual(
          tree.filter((line) => line.includes("malformed")),
          [counted]
        )
        assert.isBelow(tree.indexOf(`attempt (client) 0-0 ${ended}`), tree.indexOf(counted))
      })
    )
  }
})
