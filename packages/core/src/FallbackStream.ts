/**
 * Stream tiers composed into one stream, which is emitted from its first content on.
 *
 * Until the first element that counts as content, nothing is emitted and the next tier can take over unnoticed. From
 * this commit point on, the stream belongs to that tier: it is never restarted, and the caller sees its failures. Only
 * a tier that says how it continues from what was emitted, see {@link Transcript}, may take over then.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { dual, identity } from "effect/Function"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Event } from "./Attempt.ts"
import type { DeadlineExceeded } from "./Deadline.ts"
import { ladderFrom } from "./internal/policy/compiled.ts"
import type { EmptyStream } from "./internal/run/commit.ts"
import type { AllTiersFailed, Served, Transcript } from "./internal/run/ladder.ts"
import * as ladder from "./internal/run/ladder.ts"
import { type Opening, opening, type Pull } from "./internal/run/pull.ts"
import { rung, runs } from "./internal/run/rung.ts"
import { type Close, servedStream } from "./internal/run/servedStream.ts"
import { type Begun, committed, continuation } from "./internal/run/streamRung.ts"
import type { Outcome } from "./Outcome.ts"
import type { Compiled, TierPolicy } from "./Policy.ts"
import type * as Tier from "./Tier.ts"

/**
 * The stream of one tier after its commit point: it can fail with the tier's own error, or because it fell silent or
 * took too long.
 *
 * @since 0.1.0
 * @category models
 */
export type Committed<A, E> = Stream.Stream<A, E | DeadlineExceeded>

/**
 * An ordered list of stream tiers that *is* a `Stream`.
 *
 * @since 0.1.0
 * @category models
 */
export interface FallbackStream<out A, out E, out R>
  extends Stream.Stream<A, E | EmptyStream | DeadlineExceeded | AllTiersFailed<E | EmptyStream>, R> {
  /** @hidden In the published types all the same, or any stream would pass for a fallback. */
  readonly ladder: ladder.Ladder<Begun<A, E>, E | EmptyStream, R>
}

export { EmptyStream } from "./internal/run/commit.ts"

export type { Transcript } from "./internal/run/ladder.ts"

export type { Pull } from "./internal/run/pull.ts"

/**
 * Makes a tier from a stream.
 *
 * **Details**
 * - `isContent` selects the elements that count as content: the first of them is the commit point, and only they end a
 *   silence. Default: every element.
 * - `firstToken` bounds an attempt's time to its first content, `timeout` all of the tier's attempts and waits.
 * - `idle` bounds the silence between two pieces of content after the commit point, `maxStream` the whole stream. Time
 *   during which elements wait for the caller is no silence; `maxStream` keeps running, but then ends the stream as
 *   `slow_caller`, which no breaker counts. Default: unbounded.
 * - A losing tier's scope is closed before the next tier starts; the winner's when its stream ends. A stream that
 *   exceeds a bound and resists interruption is left behind, so that bounds are hard.
 * - `transcript` and `resume` say how to continue a stream that breaks off, see {@link Transcript}. Default: not at
 *   all.
 *
 * @example
 * import { Chunk, Effect, Stream } from "effect"
 * import { FallbackStream } from "@understudy/core"
 *
 * const broken = Stream.concat(Stream.make(""), Stream.fail("reset"))
 * const isContent = (text: string) => text !== ""
 * const answer = FallbackStream.tier({ name: "primary", stream: broken, isContent }).pipe(
 *   FallbackStream.orElse(FallbackStream.tier({ name: "standby", stream: Stream.make("", "Hello"), isContent }))
 * )
 *
 * console.log(Chunk.toArray(await Effect.runPromise(Stream.runCollect(answer)))) // => [ '', 'Hello' ]
 *
 * @since 0.1.0
 * @category constructors
 */
export const tier = <A extends A2, E extends E2, R, S = never, R2 = never, A2 = A, E2 = E>(
  options: Tier.Options<E2 | EmptyStream> & {
    readonly stream: Stream.Stream<A, E, R>
    readonly isContent?: ((element: A2) => boolean) | undefined
    readonly firstToken?: Duration.DurationInput | undefined
    readonly idle?: Duration.DurationInput | undefined
    readonly maxStream?: Duration.DurationInput | undefined
    readonly transcript?: Transcript<A, S> | undefined
    readonly resume?: ((sent: NoInfer<S>) => Stream.Stream<NoInfer<A>, NoInfer<E>, R2>) | undefined
  }
): FallbackStream<A, E, Exclude<R | R2, Scope.Scope>> => {
  const { resume, transcript } = options
  const attempt = (open: Opening<A, E, R | R2>) => committed({ ...options, open })
  const open = resume && ((sent: S) => opening(() => resume(sent)))
  const continuing = continuation({ transcript, resume: open }, attempt)
  return fromLadder(
    ladder.ladderOf(
      rung(options, attempt(opening(() => options.stream)), "firstToken", options.firstToken, continuing)
    )
  )
}

/**
 * The tiers of a policy, each with its stream. Compile the policy once, since it holds the breakers' state; the
 * fallback is cheap, and may be made for every run.
 *
 * **Details**
 * - `stream` is called when an attempt starts, and never for a tier that is not asked. What it throws is a defect of
 *   that attempt.
 * - `isContent` selects the elements that count as content, as in {@link tier}. `classify` maps a typed error to its
 *   outcome. Default: `Outcome.classifyError`.
 * - `transcript` accumulates what every tier's stream emits; `resume` says which tiers continue a stream that breaks
 *   off, and how, see {@link Transcript}. Default: none.
 *
 * @example
 * import { Chunk, Effect, Either, Stream } from "effect"
 * import { FallbackStream, Policy } from "@understudy/core"
 *
 * const policy = Either.getOrThrow(Policy.decode({ tiers: [{ name: "primary" }, { name: "standby" }] }))
 *
 * const program = Effect.gen(function* () {
 *   const compiled = yield* Policy.compile(policy)
 *   return yield* Stream.runCollect(FallbackStream.fromPolicy(compiled, (tier) => Stream.make("the", tier.name)))
 * })
 *
 * console.log(Chunk.toArray(await Effect.runPromise(program))) // => [ 'the', 'primary' ]
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromPolicy = <Tier extends TierPolicy, A, E, R, S = never, R2 = never>(
  policy: Compiled<Tier>,
  stream: (tier: Tier) => Stream.Stream<A, E, R>,
  options?: {
    readonly isContent?: ((element: NoInfer<A>) => boolean) | undefined
    readonly classify?: ((error: E | EmptyStream, tier: Tier) => Outcome) | undefined
    readonly transcript?: Transcript<A, S> | undefined
    readonly resume?:
      | ((tier: Tier) => ((sent: NoInfer<S>) => Stream.Stream<NoInfer<A>, NoInfer<E>, R2>) | undefined)
      | undefined
  }
): FallbackStream<A, E, Exclude<R | R2, Scope.Scope>> => {
  const { resume } = options ?? {}
  return fromPolicyPull(policy, (tier) => opening(() => stream(tier)), {
    ...options,
    resume: (tier) => {
      const continues = resume?.(tier)
      return continues && ((sent) => opening(() => continues(sent)))
    }
  })
}

/**
 * {@link fromPolicy} for streams that are opened and pulled by hand. Use it to forward many elements cheaply: the
 * layers of a composed `Stream` cost many times what is done per element.
 *
 * **Details**
 * - `open` runs once per attempt, in a scope that closes when the attempt's stream has ended or is given up. Its result
 *   is pulled from one fiber, one pull at a time, like that of `Stream.toPull`.
 * - `resume` opens the rest of a stream in the same way.
 *
 * @example
 * import { Chunk, Effect, Either, Option, Stream } from "effect"
 * import { FallbackStream, Policy } from "@understudy/core"
 *
 * const policy = Either.getOrThrow(Policy.decode({ tiers: [{ name: "primary" }, { name: "standby" }] }))
 * const open = (tier: Policy.TierPolicy) =>
 *   Effect.sync(() => {
 *     const words = ["the", tier.name]
 *     return Effect.suspend((): FallbackStream.Pull<string, string> => {
 *       const word = words.shift()
 *       return word === undefined ? Effect.fail(Option.none()) : Effect.succeed(Chunk.of(word))
 *     })
 *   })
 *
 * const program = Effect.gen(function* () {
 *   const compiled = yield* Policy.compile(policy)
 *   return yield* Stream.runCollect(FallbackStream.fromPolicyPull(compiled, open))
 * })
 *
 * console.log(Chunk.toArray(await Effect.runPromise(program))) // => [ 'the', 'primary' ]
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromPolicyPull = <Tier extends TierPolicy, A, E, R, S = never, R2 = never>(
  policy: Compiled<Tier>,
  open: (tier: Tier) => Effect.Effect<Pull<A, E, R>, E, R>,
  options?: {
    readonly isContent?: ((element: NoInfer<A>) => boolean) | undefined
    readonly classify?: ((error: E | EmptyStream, tier: Tier) => Outcome) | undefined
    readonly transcript?: Transcript<A, S> | undefined
    readonly resume?:
      | ((
          tier: Tier
        ) =>
          | ((sent: NoInfer<S>) => Effect.Effect<Pull<NoInfer<A>, NoInfer<E>, R2>, NoInfer<E>, R2>)
          | undefined)
      | undefined
  }
): FallbackStream<A, E, Exclude<R | R2, Scope.Scope>> => {
  const { classify, isContent, resume, transcript } = options ?? {}
  return fromLadder(
    ladderFrom(policy, ({ stream: fixed, tier }) => {
      const { idle, maxStream } = tier
      const attempt = (open: Opening<A, E, R | R2>) => committed({ open, isContent, idle, maxStream })
      return runs(
        fixed,
        attempt(Effect.suspend(() => open(tier))),
        classify && ((error: E | EmptyStream) => classify(error, tier)),
        continuation({ transcript, resume: resume?.(tier) }, attempt)
      )
    })
  )
}

/**
 * Asks `that` if `self` fails before its commit point. Associative, like `Fallback.orElse`.
 *
 * @example
 * import { Chunk, Effect, Stream } from "effect"
 * import { FallbackStream } from "@understudy/core"
 *
 * const primary = FallbackStream.tier({ name: "primary", stream: Stream.fail("down") })
 * const standby = FallbackStream.tier({ name: "standby", stream: Stream.make(1, 2) })
 *
 * console.log(Chunk.toArray(await Effect.runPromise(Stream.runCollect(FallbackStream.orElse(primary, standby))))) // => [ 1, 2 ]
 *
 * @since 0.1.0
 * @category combinators
 */
export const orElse: {
  /**
   * Asks `that` if `self` fails before its commit point.
   *
   * @since 0.1.0
   * @category combinators
   */
  <A2, E2, R2>(
    that: FallbackStream<A2, E2, R2>
  ): <A, E, R>(self: FallbackStream<A, E, R>) => FallbackStream<A | A2, E | E2, R | R2>
  /**
   * Asks `that` if `self` fails before its commit point.
   *
   * @since 0.1.0
   * @category combinators
   */
  <A, E, R, A2, E2, R2>(
    self: FallbackStream<A, E, R>,
    that: FallbackStream<A2, E2, R2>
  ): FallbackStream<A | A2, E | E2, R | R2>
} = dual(
  2,
  <A, E, R, A2, E2, R2>(
    self: FallbackStream<A, E, R>,
    that: FallbackStream<A2, E2, R2>
  ): FallbackStream<A | A2, E | E2, R | R2> =>
    fromLadder<A | A2, E | E2, R | R2>(ladder.orElse(self.ladder, that.ladder))
)

/**
 * Bounds the run up to its commit point. After that the tier's `idle` and `maxStream` apply.
 *
 * @example
 * import { Effect, Stream } from "effect"
 * import { FallbackStream } from "@understudy/core"
 *
 * const silent = FallbackStream.tier({ name: "silent", stream: Stream.never }).pipe(FallbackStream.within("10 millis"))
 * const error = await Effect.runPromise(Effect.flip(Stream.runDrain(silent)))
 *
 * console.log(error.message) // => the deadline ended the run after 1 attempt
 *
 * @since 0.1.0
 * @category combinators
 */
export const within: {
  /**
   * Bounds the run up to its commit point.
   *
   * @since 0.1.0
   * @category combinators
   */
  (duration: Duration.DurationInput): <A, E, R>(self: FallbackStream<A, E, R>) => FallbackStream<A, E, R>
  /**
   * Bounds the run up to its commit point.
   *
   * @since 0.1.0
   * @category combinators
   */
  <A, E, R>(self: FallbackStream<A, E, R>, duration: Duration.DurationInput): FallbackStream<A, E, R>
} = dual(
  2,
  <A, E, R>(self: FallbackStream<A, E, R>, duration: Duration.DurationInput): FallbackStream<A, E, R> =>
    fromLadder(ladder.within(self.ladder, duration))
)

/**
 * Limits how many tiers one run may start.
 *
 * @example
 * import { Effect, Stream } from "effect"
 * import { FallbackStream } from "@understudy/core"
 *
 * const tier = (name: string) => FallbackStream.tier({ name, stream: Stream.fail("down") })
 * const capped = tier("a").pipe(FallbackStream.orElse(tier("b")), FallbackStream.atMost(1))
 *
 * console.log(String(await Effect.runPromise(Effect.flip(Stream.runDrain(capped))))) // => AllTiersFailed: all tiers failed after 1 attempt
 *
 * @since 0.1.0
 * @category combinators
 */
export const atMost: {
  /**
   * Limits how many tiers one run may start.
   *
   * @since 0.1.0
   * @category combinators
   */
  (tiers: number): <A, E, R>(self: FallbackStream<A, E, R>) => FallbackStream<A, E, R>
  /**
   * Limits how many tiers one run may start.
   *
   * @since 0.1.0
   * @category combinators
   */
  <A, E, R>(self: FallbackStream<A, E, R>, tiers: number): FallbackStream<A, E, R>
} = dual(
  2,
  <A, E, R>(self: FallbackStream<A, E, R>, tiers: number): FallbackStream<A, E, R> =>
    fromLadder(ladder.atMost(self.ladder, tiers))
)

/**
 * Names the run in its span (`fallback {name}`) and events. Default: the name of the first tier.
 *
 * @example
 * import { Stream } from "effect"
 * import { FallbackStream } from "@understudy/core"
 *
 * const chat = FallbackStream.tier({ name: "primary", stream: Stream.make("Hi") }).pipe(FallbackStream.named("chat"))
 *
 * console.log(Stream.StreamTypeId in chat) // => true
 *
 * @since 0.1.0
 * @category combinators
 */
export const named: {
  /**
   * Names the run in its span (`fallback {name}`) and events.
   *
   * @since 0.1.0
   * @category combinators
   */
  (name: string): <A, E, R>(self: FallbackStream<A, E, R>) => FallbackStream<A, E, R>
  /**
   * Names the run in its span (`fallback {name}`) and events.
   *
   * @since 0.1.0
   * @category combinators
   */
  <A, E, R>(self: FallbackStream<A, E, R>, name: string): FallbackStream<A, E, R>
} = dual(
  2,
  <A, E, R>(self: FallbackStream<A, E, R>, name: string): FallbackStream<A, E, R> =>
    fromLadder({ ...self.ladder, name })
)

/**
 * Runs the fallback to its commit point: succeeds with the serving tier's stream and how it came about, before any of
 * it is consumed. Closing the scope before the stream's end closes the tier's connection.
 *
 * A `listener` receives the run's events in place of `Attempt.Listener`. Default: none.
 *
 * @example
 * import { Effect, Stream } from "effect"
 * import { FallbackStream } from "@understudy/core"
 *
 * const chat = FallbackStream.tier({ name: "primary", stream: Stream.make("Hi") })
 * const program = Effect.scoped(Effect.map(FallbackStream.served(chat), ({ tier }) => tier))
 *
 * console.log(await Effect.runPromise(program)) // => primary
 *
 * @since 0.1.0
 * @category execution
 */
export const served = <A, E, R>(
  self: FallbackStream<A, E, R>,
  options?: { readonly listener?: ((event: Event) => void) | undefined }
): Effect.Effect<
  Served<Committed<A, E>, E | EmptyStream>,
  E | EmptyStream | AllTiersFailed<E | EmptyStream>,
  R | Scope.Scope
> => servedStream(self.ladder, streamed, options?.listener)

/**
 * {@link served} with a stream that is pulled by hand. It has ended when a pull fails, with `None` or an error; to stop
 * reading before that, close the scope.
 *
 * @example
 * import { Chunk, Effect, Stream } from "effect"
 * import { FallbackStream } from "@understudy/core"
 *
 * const chat = FallbackStream.tier({ name: "primary", stream: Stream.make("Hi") })
 * const program = Effect.scoped(Effect.flatMap(FallbackStream.pulled(chat), ({ value }) => value))
 *
 * console.log(Chunk.toArray(await Effect.runPromise(program))) // => [ 'Hi' ]
 *
 * @since 0.1.0
 * @category execution
 */
export const pulled = <A, E, R>(
  self: FallbackStream<A, E, R>,
  options?: { readonly listener?: ((event: Event) => void) | undefined }
): Effect.Effect<
  Served<Pull<A, E | DeadlineExceeded>, E | EmptyStream>,
  E | EmptyStream | AllTiersFailed<E | EmptyStream>,
  R | Scope.Scope
> => servedStream(self.ladder, identity, options?.listener)

const streamed = <A, E>(pull: Pull<A, E>, close: Close): Stream.Stream<A, E> =>
  Stream.ensuringWith(Stream.repeatEffectChunkOption(pull), close)

const fromLadder = <A, E, R>(ladder: FallbackStream<A, E, R>["ladder"]): FallbackStream<A, E, R> =>
  // Effect has no Stream class to extend, so the ladder is attached to a stream made from it, lazily since those who
  // pull never need it.
  Object.assign(
    Stream.suspend(() =>
      Stream.unwrapScoped(Effect.map(servedStream(ladder, streamed), ({ value }) => value))
    ),
    { ladder }
  )
