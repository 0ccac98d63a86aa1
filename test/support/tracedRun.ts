import { Policy } from "@understudy/core"
import { type ChatCompletion, Route, Sandbox } from "@understudy/http"
import { Array as Arr, type Duration, Effect, Either, Fiber, Random, TestClock } from "effect"
import { recordedSpans } from "./spans.ts"

type Script = NonNullable<Sandbox.Options["script"]>

/** A route `chat` of the tiers `primary` (large) and `standby` (small), which meet with this. */
export const route = (primary: Script, standby: Script = ["ok"], policy: object = {}, tier: object = {}) => {
  const file = { name: "primary", retry: { times: 0 }, ...tier }
  const decoded = Either.getOrThrow(Policy.decode({ ...policy, tiers: [file, { name: "standby" }] }))
  const sandbox = (name: string, script: Script) =>
    Sandbox.make({ name, latency: "100 millis", chunkEvery: "10 millis", script })
  const [first, second] = [sandbox("one", primary), sandbox("two", standby)]
  return Route.make("chat", {
    ...decoded,
    tiers: Arr.map(decoded.tiers, (tier, index) =>
      index === 0
        ? { ...tier, provider: first, model: "large" }
        : { ...tier, provider: second, model: "small" }
    )
  })
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
