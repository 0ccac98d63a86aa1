import { Context, Data, Effect, Layer, type Scope, Stream } from "effect"
import { describe, expectTypeOf, it } from "vitest"
import { type Deadline, Fallback, FallbackStream, Outcome, Tier } from "../src/index.ts"

class Model extends Context.Tag("Model")<Model, { readonly name: string }>() {}
class Cache extends Context.Tag("Cache")<Cache, { readonly size: number }>() {}

class Down extends Data.TaggedError("Down") {}
class Busy extends Data.TaggedError("Busy") {}

const number = Effect.never as Effect.Effect<number, Down, Model>
const text = Effect.never as Effect.Effect<string, Busy, Cache | Scope.Scope>

const a = Tier.make({ name: "a", effect: number })
const b = Tier.make({ name: "b", effect: text })

// What these say is checked by the compiler; running them only counts them.
describe("types of the public combinators", () => {
  it("a tier keeps its effect's types, but for the scope that each attempt has of its own", () => {
    expectTypeOf(a).toEqualTypeOf<Tier.Tier<number, Down, Model>>()
    expectTypeOf(b).toEqualTypeOf<Tier.Tier<string, Busy, Cache>>()
  })

  it("answers, errors and services of the tiers unite, data first and data last", () => {
    type Both = Fallback.Fallback<number | string, Down | Busy, Model | Cache>
    expectTypeOf(Fallback.orElse(a, b)).toEqualTypeOf<Both>()
    expectTypeOf(a.pipe(Fallback.orElse(b))).toEqualTypeOf<Both>()
    expectTypeOf(a.pipe(Fallback.hedge(b, { after: "1 second" }))).toEqualTypeOf<Both>()
    expectTypeOf(
      a.pipe(Fallback.orElse(b), Fallback.within("1 second"), Fallback.atMost(1))
    ).toEqualTypeOf<Both>()
  })

  it("a fallback is an effect that fails with its tiers' errors or with all their attempts", () => {
    expectTypeOf(Fallback.orElse(a, b)).toExtend<
      Effect.Effect<number | string, Down | Busy | Fallback.AllTiersFailed<Down | Busy>, Model | Cache>
    >()
    const failed = Fallback.orElse(a, b).pipe(
      Effect.catchTag("AllTiersFailed", (error) => Effect.succeed(error.attempts))
    )
    expectTypeOf<Effect.Effect.Error<typeof failed>>().toEqualTypeOf<Down | Busy>()
  })

  it("classify sees the tier's own errors", () => {
    Tier.make({
      name: "a",
      effect: number,
      classify: (error) => {
        expectTypeOf(error).toEqualTypeOf<Down>()
        return Outcome.failure()
      }
    })
  })

  it("classify and isContent judge and do not say what a tier is of, however it is written", () => {
    const classify = (_: Down | Busy | FallbackStream.EmptyStream) => Outcome.failure()
    const effect = Effect.zipRight(number, text)
    const tier = Tier.make({ name: "a", effect: Effect.zipRight(number, text), classify })
    expectTypeOf(tier).toEqualTypeOf<Tier.Tier<string, Down | Busy, Model | Cache>>()
    expectTypeOf(
      Tier.make({ name: "a", effect: Effect.zipRight(number, text), classify: () => Outcome.failure() })
    ).toEqualTypeOf<typeof tier>()
    expectTypeOf(
      Tier.make({ name: "a", effect: Effect.zipRight(number, text), classify: (_) => Outcome.failure() })
    ).toEqualTypeOf<typeof tier>()
    expectTypeOf(Tier.make({ name: "a", effect: Effect.succeed(1), classify })).toEqualTypeOf<
      Tier.Tier<number, never, never>
    >()
    // @ts-expect-error: nobody judges `Busy`
    Tier.make({ name: "a", effect, classify: (_: Down) => Outcome.failure() })

    const stream = FallbackStream.tier({
      name: "a",
      stream: Stream.concat(Stream.fromEffect(number), Stream.fromEffect(text)),
      isContent: (_: number | string | boolean) => true,
      classify
    })
    expectTypeOf(stream).toEqualTypeOf<
      FallbackStream.FallbackStream<number | string, Down | Busy, Model | Cache>
    >()
    // @ts-expect-error: nor do these know numbers
    FallbackStream.tier({ name: "a", stream: Stream.make(1), isContent: (_: string) => true })
  })

  it("what attempts are mapped to must fail as the tier does, and may need more", () => {
    const mapped = a.pipe(Fallback.mapAttempts(Effect.flatMap((answer) => Effect.as(Cache, `${answer}`))))
    expectTypeOf(mapped).toEqualTypeOf<Fallback.Fallback<string, Down, Model | Cache>>()
    // @ts-expect-error: its classifier knows nothing of `Busy`
    a.pipe(Fallback.mapAttempts((attempt) => Effect.zipLeft(attempt, new Busy())))
  })

  it("a layer takes its services away", () => {
    const model = Layer.succeed(Model, { name: "m" })
    expectTypeOf(a.pipe(Tier.provide(model))).toEqualTypeOf<Tier.Tier<number, Down, never>>()
    expectTypeOf(Tier.provide(a, model)).toEqualTypeOf<Tier.Tier<number, Down, never>>()
  })

  it("a fallback of streams is a stream", () => {
    const words = FallbackStream.tier({
      name: "s",
      stream: Stream.never as Stream.Stream<string, "x", Model | Scope.Scope>
    })
    const bytes = FallbackStream.tier({ name: "t", stream: Stream.never as Stream.Stream<number, "y"> })
    const both = words.pipe(FallbackStream.orElse(bytes))
    expectTypeOf<Stream.Stream.Success<typeof both>>().toEqualTypeOf<string | number>()
    expectTypeOf<Stream.Stream.Context<typeof both>>().toEqualTypeOf<Model>()
    expectTypeOf<Deadline.DeadlineExceeded>().toExtend<Stream.Stream.Error<typeof both>>()
    expectTypeOf<"x" | "y">().toExtend<Stream.Stream.Error<typeof both>>()
  })

  it("a tier goes on with what a transcript keeps, which must know its elements; it may need more", () => {
    const length: FallbackStream.Transcript<string | number, number> = { empty: 0, add: (sent) => sent + 1 }
    const goesOn = FallbackStream.tier({
      name: "s",
      stream: Stream.never as Stream.Stream<string, "x", Model>,
      transcript: length,
      resume: (sent) => {
        expectTypeOf(sent).toEqualTypeOf<number>()
        return Stream.fromEffect(Effect.as(Cache, "more"))
      }
    })
    expectTypeOf(goesOn).toEqualTypeOf<FallbackStream.FallbackStream<string, "x", Model | Cache>>()
    const texts: FallbackStream.Transcript<string, string> = { empty: "", add: (sent, text) => sent + text }
    // @ts-expect-error: this one knows no numbers
    FallbackStream.tier({ name: "t", stream: Stream.make(1), transcript: texts })
    // @ts-expect-error: its classifier knows nothing of `Busy`
    FallbackStream.tier({ name: "t", stream: Stream.make(""), transcript: texts, resume: () => new Busy() })
  })
})
