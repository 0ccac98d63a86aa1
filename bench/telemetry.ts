import { cpus } from "node:os"
import { cpuUsage } from "node:process"
import { tracing } from "@opentelemetry/sdk-node"
import { Attempt, Fallback, Policy } from "@understudy/core"
import { Metrics, Telemetry } from "@understudy/otel"
import { Effect, Either, Exit, Layer, type Runtime, Runtime as Runtimes, Scope } from "effect"
import { quartiles, short } from "./statistics.ts"

const policy = Either.getOrThrow(Policy.decode({ tiers: [{ name: "primary" }, { name: "standby" }] }))

/** One run that its first tier answers at once: nothing but what a run costs. */
const run = Effect.map(
  Policy.compile(policy, {
    name: "chat",
    labels: ({ name }) => ({ model: name }),
    span: ({ name }) => ({
      name: `chat ${name}`,
      attributes: { "gen_ai.operation.name": "chat", "gen_ai.request.model": name }
    })
  }),
  (compiled) =>
    Fallback.fromPolicy(compiled, () => Attempt.recordUsage({ input_tokens: 9, output_tokens: 3 }))
)

/** Variables are read when a layer is built: each of these has its own, and one layer is built after the other. */
const telemetry = (variables: Readonly<Record<string, string>>, options?: Telemetry.Options) =>
  Layer.unwrapEffect(
    Effect.sync(() => {
      for (const name of Object.keys(process.env)) if (name.startsWith("OTEL_")) delete process.env[name]
      Object.assign(process.env, variables)
      return Telemetry.layer(options)
    })
  )

/** Spans are made, batched and given to an exporter that drops them. */
const spans = (share: number): Layer.Layer<never> => {
  const dropped: tracing.SpanExporter = {
    export: (_, done) => done({ code: 0 }),
    shutdown: () => Promise.resolve()
  }
  return telemetry(
    { OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: String(share) },
    { spanProcessors: [new tracing.BatchSpanProcessor(dropped)] }
  )
}

const counted = Layer.effect(
  Attempt.Listener,
  Effect.map(Metrics.make, ({ listener }) => listener)
)
const disabled = Layer.setTracerEnabled(false)

/** The first is what the others are compared with. */
const kinds: Readonly<Record<string, Layer.Layer<never> | Layer.Layer<Attempt.Listener>>> = {
  "no telemetry": disabled,
  off: Layer.merge(disabled, telemetry({ OTEL_SDK_DISABLED: "true" })),
  metrics: Layer.merge(disabled, counted),
  "metrics, spans at 1 %": Layer.merge(spans(0.01), counted),
  "metrics, spans at 100 %": Layer.merge(spans(1), counted)
}

const cpuOf = async (
  runtime: Runtime.Runtime<never>,
  effect: Effect.Effect<unknown, unknown>,
  runs: number
) => {
  const before = cpuUsage()
  await Runtimes.runPromise(runtime)(Effect.repeatN(Effect.ignore(effect), runs - 1))
  const { system, user } = cpuUsage(before)
  return (system + user) / runs
}

/** What a run costs with nobody looking, with metrics, and with spans as well: CPU time, in turns. */
export const main = async (args: ReadonlyArray<string>): Promise<void> => {
  const [rounds, runs] = args.includes("--quick") ? [10, 1_000] : [80, 5_000]
  const ask = await Effect.runPromise(run)
  const scope = await Effect.runPromise(Scope.make())
  const measured: Array<Measured> = []
  for (const [name, layer] of Object.entries(kinds)) {
    const live = Layer.toRuntime(layer as Layer.Layer<never>)
    measured.push({ name, runtime: await Effect.runPromise(Scope.extend(live, scope)), took: [] })
  }
  for (let round = -3; round < rounds; round++) {
    for (const { runtime, took } of measured) {
      // What the one before left behind is none of its.
      await cpuOf(runtime, ask, runs / 5)
      const micros = await cpuOf(runtime, ask, runs)
      if (round >= 0) took.push(micros)
    }
  }
  console.log(
    `Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model.trim()}; ${rounds} rounds of ${runs} runs`
  )
  console.log("µs of CPU a run, and how many more than the first: the middle half of all rounds")
  const base = measured[0]!.took
  for (const { name, took } of measured) {
    const more = took.map((micros, round) => micros - base[round]!)
    console.log(`  ${name.padEnd(26)}${middle(took).padEnd(18)}${took === base ? "" : middle(more)}`)
  }
  await Effect.runPromise(Scope.close(scope, Exit.void))
}

interface Measured {
  readonly name: string
  readonly runtime: Runtime.Runtime<never>
  readonly took: Array<number>
}

const middle = (values: ReadonlyArray<number>): string => quartiles(values).map(short).join(" to ")
