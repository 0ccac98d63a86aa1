import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { collector, json, metricsOf, type Points, record } from "../../packages/otel/test/collector.ts"
import { ask } from "../support/caller.ts"
import { chat } from "../support/gateway.ts"
import { program } from "../support/program.ts"
import { fails, wall } from "../support/wall.ts"

const told = ({ dataPoints }: Points) =>
  dataPoints.map(({ asDouble, attributes }) => [record(attributes)["tier"], asDouble])

describe("a gateway that is stopped", () => {
  it.scopedLive("says in its last export how its breakers and its alerts were", () =>
    Effect.gen(function* () {
      const stub = yield* collector()
      const [first, second] = [yield* wall, yield* wall]
      first.script(fails(503))
      const yaml = chat([first.url, second.url], {
        tier: "breaker: { consecutive: 1 }, retry: { times: 0 }",
        route: "alert: { tier: tier1, atLeast: 1 }"
      })
      const gateway = yield* program(yaml, {
        ...json(stub.url),
        OTEL_METRICS_EXPORTER: "otlp",
        OTEL_TRACES_EXPORTER: "none"
      })
      yield* ask(gateway.url)
      assert.strictEqual(yield* Effect.promise(() => gateway.stop()), 0)

      assert.lengthOf(stub.requests, 1)
      const gauges = metricsOf(stub).flatMap(({ gauge, name }) => (gauge ? [[name, told(gauge)]] : []))
      assert.deepStrictEqual(Object.fromEntries(gauges), {
        "understudy.breaker_state": [
          ["tier1", 2],
          ["tier2", 0]
        ],
        "understudy.alert_firing": [["tier1", 1]]
      })
    })
  )
})
