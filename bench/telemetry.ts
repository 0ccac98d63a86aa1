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

/** Spans are made, batched and given to an exporter that drops them. */
const spans = (share: number): Layer.Layer<never> => {
  process.env["OTEL_TRACES_SAMPLER"] = "traceidratio"
  process.env["OTEL_TRACES_SAMPLER_ARG"] = String(share)
  const dropped: tracing.SpanExporter = {
    export: (_, done) => done({ code: 0 }),
    shutdown: () => Promise.resolve()
  }
  return Telemetry.layer({ spanProcessors: [new tracing.BatchSpanProcessor(dropped)] })
}

const counted = Layer.effect(
  Attempt.Listener,
  Effect.map(Metrics.make, ({ listener }) => listener)
)
const disabled = Layer.setTracerEnabled(false)

const kinds: Readonly<Record<string, () => Layer.Layer<never> | Layer.Layer<Attempt.Listener>>> = {
  off: () => disabled,
  metrics: () => Layer.merge(disabled, counted),
  "metrics, spans at 1 %": () => Layer.merge(spans(0.01), counted),
  "metrics, spans at 100 %": () => Layer.merge(spans(1), counted)
}

const micros = async (
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
  const [rounds, runs] = args.includes("--quick") ? [10, 1_000] : [40, 5_000]
  const ask = await Effect.runPromise(run)
  const scope = await Effect.runPromise(Scope.make())
  const runtimes = new Map<string, Runtime.Runtime<never>>()
  for (const [name, layer] of Object.entries(kinds)) {
    const live = Layer.toRuntime(layer() as Layer.Layer<never>)
    runtimes.set(name, await Effect.runPromise(Scope.extend(live, scope)))
  }
  const samples = new Map<string, Array<number>>()
  for (let round = -3; round < rounds; round++) {
    for (const [name, runtime] of runtimes) {
      const took = await micros(runtime, ask, runs)
      if (round >= 0) samples.set(name, [...(samples.get(name) ?? []), took])
    }
  }
  console.log("µs of CPU a run, the middle half of all rounds")
  for (const [name, took] of samples) {
    const [low, high] = quartiles(took)
    console.log(`  ${name.padEnd(26)}${short(low)} to ${short(high)}`)
  }
  await Effect.runPromise(Scope.close(scope, Exit.void))
}
