import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Runtime from "effect/Runtime"
import * as Tracer from "effect/Tracer"
import type { Scenario } from "./scenarios.ts"
import type { Upstream } from "./upstream.ts"

/** A policy made ready to run: each function runs it so many times, one after the other. */
export interface Runner {
  readonly one: () => Promise<number>
  readonly loop: (runs: number) => Promise<void>
  readonly inFiber?: (runs: number) => Promise<void>
  /** What one run takes of the Effect runtime; it is the same every time. */
  readonly counts: () => Promise<Counts>
}

export interface Counts {
  /** Turns of the run loop. */
  readonly steps: number
  readonly fibers: number
  readonly spans: number
}

export type Make = (scenario: Scenario, upstreams: ReadonlyArray<Upstream>, spans: boolean) => Promise<Runner>

/** Puts a span round an effect where spans are measured. */
export const spanned =
  (spans: boolean) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>, name: string): Effect.Effect<A, E, R> =>
    spans ? (Effect.withSpan(effect, name) as Effect.Effect<A, E, R>) : effect

const runner = (one: () => Promise<number>): Runner => ({
  one,
  loop: async (runs) => {
    for (let i = 0; i < runs; i++) await one()
  },
  counts: async () => ({ steps: 0, fibers: 0, spans: 0 })
})

/** A contender that is a function which returns a promise. */
export const ofPromise =
  (make: (scenario: Scenario, upstreams: ReadonlyArray<Upstream>) => () => Promise<number>): Make =>
  async (scenario, upstreams) =>
    runner(make(scenario, upstreams))

/** A contender that is an effect: built once, run many times. */
export const ofEffect =
  (
    make: (
      scenario: Scenario,
      upstreams: ReadonlyArray<Upstream>,
      spans: boolean
    ) => Effect.Effect<Effect.Effect<number, unknown>>
  ): Make =>
  async (scenario, upstreams, spans) => {
    const run = Runtime.runPromise(await runtimeOf(spans, native))
    const effect = await run(make(scenario, upstreams, spans))
    return {
      ...runner(() => run(effect)),
      inFiber: (runs) =>
        run(
          Effect.gen(function* () {
            for (let i = 0; i < runs; i++) yield* effect
          })
        ),
      counts: async () => {
        const seen = { steps: 0, fibers: new Set<unknown>(), spans: 0 }
        // The run loop takes every step through the tracer.
        const counting = Tracer.make({
          span: (...args) => {
            seen.spans++
            return native.span(...args)
          },
          context: (step, fiber) => {
            seen.steps++
            seen.fibers.add(fiber)
            return step()
          }
        })
        const runtime = await runtimeOf(spans, counting)
        seen.steps = 0
        seen.fibers.clear()
        await Runtime.runPromise(runtime)(effect)
        return { ...seen, fibers: seen.fibers.size }
      }
    }
  }

const native = Effect.runSync(Effect.tracer)

const runtimeOf = (spans: boolean, tracer: Tracer.Tracer): Promise<Runtime.Runtime<never>> =>
  Effect.runPromise(
    Effect.scoped(Layer.toRuntime(Layer.merge(Layer.setTracer(tracer), Layer.setTracerEnabled(spans))))
  )
