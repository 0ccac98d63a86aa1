import { Policy } from "@understudy/core"
import { type ChatCompletion, type Provider, Route, Sandbox } from "@understudy/http"
import { Array as Arr, type Duration, Effect, Either, Fiber, Random, TestClock } from "effect"
import { recordedSpans } from "./spans.ts"

type Script = NonNullable<Sandbox.Options["script"]>

interface Options {
  /** Of the run, and of its first tier, as in a file. */
  readonly policy?: object
  readonly tier?: object
  /** How every tier goes on with a stream. */
  readonly continue?: Route.Continue
}

/** A route `chat` whose tier `primary` asks the first of these for `large`, and `standby` the second one for `small`. */
export const routeOver = (providers: Arr.NonEmptyReadonlyArray<Provider.Provider>, options: Options = {}) =>
  Effect.suspend(() => {
    const tiers = Arr.map(providers, (_, index) =>
      index === 0 ? { name: "primary", retry: { times: 0 }, ...options.tier } : { name: "standby" }
    )
    const policy = Either.getOrThrow(Policy.decode({ ...options.policy, tiers }))
    return Route.make("chat", {
      ...policy,
      tiers: Arr.map(policy.tiers, (tier, index) => ({
        ...tier,
        provider: providers[index] ?? providers[0],
        model: index === 0 ? "large" : "small",
        ...(options.continue && { continue: options.continue })
      }))
    })
  })

/** The same over sandboxes that meet with this. */
export const route = (
  primary: Script,
  { standby = ["ok"], ...options }: Options & { readonly standby?: Script } = {}
) => {
  const sandbox = (name: string, script: Script) =>
    Sandbox.make({ name, latency: "100 millis", chunkEvery: "10 millis", script })
  return routeOver([sandbox("one", primary), sandbox("two", standby)], options)
}

export const request = (fields: object = {}, stream = false): ChatCompletion.ChatRequest => ({
  model: "chat",
  stream,
  body: new TextEncoder().encode(JSON.stringify({ model: "chat", messages: [], stream, ...fields }))
})

/** What is seen of an effect that runs for so long. */
export const seen = <A, E>(effect: Effect.Effect<A, E>, leavesAfter: Duration.DurationInput = "1 hour") =>
  Effect.gen(function* () {
    const spans = recordedSpans()
    const fiber = yield* effect.pipe(
      Effect.withTracer(spans.tracer),
      Effect.withRandom(Random.make("seed")),
      Effect.fork
    )
    yield* TestClock.adjust(leavesAfter)
    yield* Fiber.interrupt(fiber)
    return spans.tree()
  })
