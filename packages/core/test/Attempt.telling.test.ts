import { assert, describe, it } from "@effect/vitest"
import { Effect, type Exit, Stream, Tracer } from "effect"
import { Attempt, Backoff, Fallback, FallbackStream, Tier } from "../src/index.ts"
import { recorded, timed } from "./scripted.ts"

/** The usage of each attempt whose event was heard. */
const used = (events: ReadonlyArray<Attempt.Event>) =>
  events.flatMap((event) => (event._tag === "AttemptEnded" ? [event.attempt.usage] : []))

describe("Attempt.recordUsage", () => {
  it.effect("belongs to the attempt that told it, however that ended", () =>
    Effect.gen(function* () {
      let call = 0
      const ask = Effect.suspend(() => {
        call++
        return Effect.zipRight(Attempt.recordUsage({ input_tokens: call }), Effect.fail("busy"))
      })
      const primary = Tier.make({ name: "a", effect: ask, backoff: Backoff.constant({ delay: 0, times: 1 }) })
      const standby = Tier.make({ name: "b", effect: Effect.succeed("answer") })
      const { effect, events } = recorded(Fallback.orElse(primary, standby))
      yield* timed(effect)
      assert.deepStrictEqual(used(events), [{ input_tokens: 1 }, { input_tokens: 2 }, undefined])
    })
  )

  it.effect("adds what is told later, from any fiber, and keeps the last word on each unit", () =>
    Effect.gen(function* () {
      const ask = Effect.all(
        [
          Attempt.recordUsage({ input_tokens: 1, output_tokens: 2 }),
          Attempt.recordUsage({ output_tokens: 3 })
        ],
        { concurrency: 2 }
      )
      const { effect, events } = recorded(Tier.make({ name: "a", effect: ask }))
      yield* timed(effect)
      assert.deepStrictEqual(used(events), [{ input_tokens: 1, output_tokens: 3 }])
    })
  )

  it.effect("is heard of a stream to its end", () =>
    Effect.gen(function* () {
      const stream = Stream.concat(
        Stream.make("a", "b"),
        Stream.drain(Stream.fromEffect(Attempt.recordUsage({ output_tokens: 2 })))
      )
      const { effect, events } = recorded(Stream.runDrain(FallbackStream.tier({ name: "a", stream })))
      yield* timed(effect)
      assert.deepStrictEqual(used(events), [{ output_tokens: 2 }])
    })
  )

  it.effect("does nothing outside an attempt", () => Attempt.recordUsage({ output_tokens: 2 }))
})

describe("Attempt.annotateTier", () => {
  const asked: Array<string> = []
  const run = (sampled: boolean, attributes = () => ({ model: "large" })) => {
    const set: Array<string> = []
    const tracer = Tracer.make({
      span: (name, parent, context, links, startTime, kind) => ({
        _tag: "Span",
        name,
        spanId: name,
        traceId: "trace",
        parent,
        context,
        links,
        kind,
        sampled,
        status: { _tag: "Started", startTime },
        attributes: new Map(),
        attribute: (key: string, value: unknown) => void set.push(`${name} ${key} ${value}`),
        event: () => {},
        addLinks: () => {},
        end: (_: bigint, _exit: Exit.Exit<unknown, unknown>) => {}
      }),
      context: (f) => f()
    })
    const ask = Attempt.annotateTier(() => {
      asked.push("asked")
      return attributes()
    })
    return Tier.make({ name: "a", effect: Effect.withSpan(ask, "inner") }).pipe(
      Effect.withTracer(tracer),
      Effect.as(set)
    )
  }

  it.effect("sets attributes on the tier's span, past whatever span is nearer", () =>
    Effect.map(run(true), (set) => assert.include(set, "tier a model large"))
  )

  it.effect("is not even asked where nobody keeps the span, nor is any attribute set", () =>
    Effect.gen(function* () {
      asked.length = 0
      assert.deepStrictEqual(yield* run(false), [])
      assert.deepStrictEqual(asked, [])
    })
  )

  it.effect("sets nothing where it is thrown over what to set, and the attempt goes on", () =>
    Effect.gen(function* () {
      asked.length = 0
      const set = yield* run(true, () => {
        throw new Error("attributes")
      })
      assert.deepStrictEqual(asked, ["asked"])
      assert.isFalse(set.some((line) => line.includes("model")))
    })
  )
})
