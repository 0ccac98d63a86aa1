import { Effect, Schedule } from "effect"
import { freePort } from "../support/ports.ts"
import { command, fileOf, program } from "../support/program.ts"
import { startPrometheus } from "./counterparts.mjs"
import { running } from "./support.ts"

type Labels = Readonly<Record<string, string>>

type Value = readonly [at: number, value: string]

export interface Sample {
  readonly metric: Labels
  readonly value: Value
}

/** A series over some time. */
export interface Range {
  readonly metric: Labels
  readonly values: ReadonlyArray<Value>
}

/** A gateway that serves this file, and a Prometheus that scrapes it every second. */
export const scraped = (yaml: string) =>
  Effect.gen(function* () {
    // There are spans, though nobody gets them.
    const gateway = yield* program(yaml, {
      OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9",
      OTEL_LOG_LEVEL: "none"
    })
    const rules = (yield* command(["rules", fileOf(yaml)])).stdout
    const { url } = yield* Effect.flatMap(freePort, (port) =>
      running(() => startPrometheus({ port, target: new URL(gateway.url).host, rules }))
    )
    const asked = <A>(how: string, parameters: Readonly<Record<string, string>>) =>
      Effect.promise<ReadonlyArray<A>>(() =>
        fetch(`${url}/api/v1/${how}?${new URLSearchParams(parameters)}`)
          .then((response) => response.json())
          .then(({ data }) => data.result)
      )
    const query = (expr: string) => asked<Sample>("query", { query: expr })
    /** A value for each second between two instants, in seconds since 1970. */
    const range = (expr: string, { end, start }: { readonly start: number; readonly end: number }) =>
      asked<Range>("query_range", { query: expr, start: String(start), end: String(end), step: "1" })
    /** Asks until it has what is wanted. */
    const until = (expr: string, wanted: (samples: ReadonlyArray<Sample>) => boolean) =>
      Effect.repeat(query(expr), { until: wanted, schedule: Schedule.spaced("200 millis") })
    // Every series is there at nothing before anything is counted.
    yield* until(runs, is(0))
    return { gateway, url, query, range, until }
  })

export const runs = "sum(understudy_requests_total)"

export const is = (value: number) => (samples: ReadonlyArray<Sample>) =>
  Number(samples[0]?.value[1]) === value

/** Samples by what their labels say. */
export const byLabels = (samples: ReadonlyArray<Sample>): Readonly<Record<string, number>> =>
  Object.fromEntries(
    samples.map(({ metric, value }) => [Object.values(metric).sort().join(" "), Number(value[1])])
  )
