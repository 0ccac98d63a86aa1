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
  /** How many spans have been started so far. */
  readonly spans: () => number
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
  spans: () => 0
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
    let started = 0
    const native = Effect.runSync(Effect.tracer)
    // Effect's own tracer, counted.
    const counting = Tracer.make({
      span: (...args) => {
        started++
        return native.span(...args)
      },
      context: native.context
    })
    const layer = Layer.merge(Layer.setTracer(counting), Layer.setTracerEnabled(spans))
    const runtime = await Effect.runPromise(Effect.scoped(Layer.toRuntime(layer)))
    const run = Runtime.runPromise(runtime)
    const effect = await run(make(scenario, upstreams, spans))
    return {
      ...runner(() => run(effect)),
      inFiber: (runs) =>
        run(
          Effect.gen(function* () {
            for (let i = 0; i < runs; i++) yield* effect
          })
        ),
      spans: () => started
    }
  }
