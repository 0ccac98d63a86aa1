import { assert, describe, it } from "@effect/vitest"
import type { Family } from "../src/Metrics.ts"
import * as Prometheus from "../src/Prometheus.ts"

const span = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", sampled: true }

const families: ReadonlyArray<Family> = [
  { type: "counter", name: "calls", help: "Calls.", points: [{ labels: { route: "chat" }, value: 3 }] },
  { type: "counter", name: "nothing", help: "Never yet.", points: [] },
  { type: "gauge", name: "state", help: "State.", points: [{ labels: {}, value: 2 }] },
  {
    type: "histogram",
    name: "duration_seconds",
    help: "Duration.",
    unit: "seconds",
    bounds: [0.5, 2],
    points: [
      {
        labels: { route: "chat" },
        counts: [1, 0, 2],
        sum: 7.25,
        exemplars: [undefined, undefined, { span, value: 3.5, at: 1_700_000_000_250 }]
      }
    ]
  }
]

describe("Prometheus.render", () => {
  it("writes the older text without what only OpenMetrics knows", () => {
    assert.deepStrictEqual(Prometheus.render(families, "text").split("\n"), [
      "# HELP calls_total Calls.",
      "# TYPE calls_total counter",
      'calls_total{route="chat"} 3',
      "# HELP state State.",
      "# TYPE state gauge",
      "state{} 2",
      "# HELP duration_seconds Duration.",
      "# TYPE duration_seconds histogram",
      'duration_seconds_bucket{route="chat",le="0.5"} 1',
      'duration_seconds_bucket{route="chat",le="2"} 1',
      'duration_seconds_bucket{route="chat",le="+Inf"} 3',
      'duration_seconds_sum{route="chat"} 7.25',
      'duration_seconds_count{route="chat"} 3',
      ""
    ])
  })

  it("writes OpenMetrics with units, exemplars and an end", () => {
    assert.deepStrictEqual(Prometheus.render(families, "openmetrics").split("\n"), [
      "# HELP calls Calls.",
      "# TYPE calls counter",
      'calls_total{route="chat"} 3',
      "# HELP state State.",
      "# TYPE state gauge",
      "state{} 2",
      "# HELP duration_seconds Duration.",
      "# TYPE duration_seconds histogram",
      "# UNIT duration_seconds seconds",
      'duration_seconds_bucket{route="chat",le="0.5"} 1',
      'duration_seconds_bucket{route="chat",le="2"} 1',
      `duration_seconds_bucket{route="chat",le="+Inf"} 3 # {trace_id="${span.traceId}",span_id="${span.spanId}"} 3.5 1700000000.25`,
      'duration_seconds_sum{route="chat"} 7.25',
      'duration_seconds_count{route="chat"} 3',
      "# EOF",
      ""
    ])
  })

  it("escapes what a label may hold", () => {
    const points = [{ labels: { tier: 'a"b\\c\nd' }, value: 1 }]
    const text = Prometheus.render([{ type: "gauge", name: "state", help: "One\nline \\.", points }], "text")
    assert.deepStrictEqual(text.split("\n"), [
      "# HELP state One\\nline \\\\.",
      "# TYPE state gauge",
      'state{tier="a\\"b\\\\c\\nd"} 1',
      ""
    ])
  })
})

describe("Prometheus.negotiate", () => {
  it.each([
    [undefined, "text"],
    ["", "text"],
    ["*/*", "text"],
    ["text/plain;version=0.0.4", "text"],
    ["application/openmetrics-text", "openmetrics"],
    [
      "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
      "openmetrics"
    ],
    ["text/plain, application/openmetrics-text;q=0.5", "text"],
    ["application/openmetrics-text;q=0", "text"]
  ] as const)("%s is answered with %s", (accept, format) => {
    assert.strictEqual(Prometheus.negotiate(accept), format)
  })
})
