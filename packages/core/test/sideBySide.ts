import { Context, type Duration, Effect, Layer } from "effect"
import { Backoff, Tier } from "../src/index.ts"
import { type Act, classify, type Refused, scripted, timed } from "./scripted.ts"

export class Model extends Context.Tag("Model")<Model, { readonly ask: Effect.Effect<string, Refused> }>() {}

/** The program of both sides: a plan's steps and our tiers differ in the model that is behind it. */
export const ask = Effect.flatMap(Model, (model) => model.ask)

export type Script = ReturnType<typeof scripted>

export const model = ({ effect }: Script): Layer.Layer<Model> => Layer.succeed(Model, { ask: effect })

export const tier = (name: string, script: Script, options?: Partial<Tier.Options<Refused>>) =>
  Tier.make({ name, effect: ask, classify, ...options }).pipe(Tier.provide(model(script)))

export const every = (delay: Duration.DurationInput, times: number) => Backoff.constant({ delay, times })

/** Models that follow the same scripts, one set for each side, since they note what they are asked. */
export const twice = (a: ReadonlyArray<Act>, b: ReadonlyArray<Act> = [{ ok: "b" }]) => {
  const side = () => {
    const [first, second] = [scripted(a), scripted(b)]
    return { a: first, b: second, calls: [first.calls, second.calls] }
  }
  return [side(), side()] as const
}

/** Both at the same time, for an hour at most. */
export const sideBySide = <A, E, A2, E2>(plan: Effect.Effect<A, E>, tiers: Effect.Effect<A2, E2>) =>
  Effect.all([Effect.exit(plan), Effect.exit(tiers)], { concurrency: 2 }).pipe(
    timed,
    Effect.flatMap(({ exit }) => exit)
  )
