/**
 * Tiers of streams composed into one stream that is given to the caller from its first content on.
 *
 * Until an element that counts has come, nothing has been given and the next tier can still take over unseen.
 * From this commit point on the stream is that tier's alone: it is never started again, and whatever goes wrong is
 * the caller's to see. Only a tier that says how it goes on from what was given, see {@link Transcript}, may take over
 * then.
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
import { type Close, given } from "./internal/run/given.ts"
import type { AllTiersFailed, Served, Transcript } from "./internal/run/ladder.ts"
import * as ladder from "./internal/run/ladder.ts"
import { type Opening, opening, type Pull } from "./internal/run/pull.ts"
import { rung, runs } from "./internal/run/rung.ts"
import { type Begun, committed, going } from "./internal/run/streamRung.ts"
import type { Outcome } from "./Outcome.ts"
import type { Compiled, TierPolicy } from "./Policy.ts"
import type * as Tier from "./Tier.ts"

/**
 * The stream of one tier as its caller sees it: from the commit point on it can fail with the tier's own error
 * or fall silent.
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
  /** @internal */
  readonly ladder: ladder.Ladder<Begun<A, E>, E | EmptyStream, R>
}

export { EmptyStream } from "./internal/run/commit.ts"

export type { Transcript } from "./internal/run/ladder.ts"

export type { Pull } from "./internal/run/pull.ts"

/**
 * Makes a tier of a stream.
 *
 * **Details**
 * - `isContent` tells the elements that count: the first of them is the commit point, and only they end a
 *   silence. Default: every element.
 * - `firstToken` bounds an attempt's way to its first content, `timeout` all of the tier's attempts and waits.
 * - `idle` bounds the silence between two pieces of content after the commit point, `maxStream` the whole stream.
 *   Time in which the caller does not take what is there counts for neither side's silence; `maxStream` goes on, but
 *   ends the stream as `slow_caller` then, which no breaker counts. Default: unbounded.
 * - A losing tier's scope is closed before the next tier starts; the winner's when its stream ends. A stream that is
 *   out of time and does not let go is left behind, so that a bound is a bound.
 * - `transcript` and `resume` are how a stream that breaks off is gone on with, see {@link Transcript}. Default: not.
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
export const tier = <A, E, R, S = never, R2 = never>(
  options: Tier.Options<NoInfer<E> | EmptyStream> & {
    readonly stream: Stream.Stream<A, E, R>
    readonly isContent?: ((element: NoInfer<A>) => boolean) | undefined
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
  const goesOn = going({ transcript, resume: open }, attempt)
  return fromLadder(
    ladder.ladderOf(
      rung(options, attempt(opening(() => options.stream)), "firstToken", options.firstToken, goesOn)
    )
  )
}

/**
 * The tiers of a policy, each with its stream. The policy is compiled once, for its breakers are its memory; the
 * fallback is cheap to make, and may be made for every run.
 *
 * **Details**
 * - `stream` is called when an attempt starts, and never for a tier that is not asked. What it throws is a defect
 *   of that attempt.
 * - `isContent` tells the elements that count, as in {@link tier}. `classify` judges a typed error, by default as
 *   `Outcome.classifyError` does.
 * - `transcript` is kept of every tier's stream; `resume` says which of them go on with one that breaks off, and how,
 *   see {@link Transcript}. Default: none does.
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
      const goOn = resume?.(tier)
      return goOn && ((sent) => opening(() => goOn(sent)))
    }
  })
}

/**
 * The same of streams that are opened and read by hand, and not composed of `Stream`s, whose layers cost many times
 * what is done at an element: for who passes on much of what others make.
 *
 * **Details**
 * - `open` is run once for every attempt, in a scope that closes when the attempt's stream has ended or is given up.
 *   What it gives is read from one fiber, one pull at a time, as that of `Stream.toPull` is.
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
        going({ transcript, resume: resume?.(tier) }, attempt)
      )
    })
  )
}

/**
 * Asks `that` when `self` fails before its commit point. Associative, as `Fallback.orElse`.
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
   * @since 0.1.0
   * @category combinators
   */
  <A2, E2, R2>(
    that: FallbackStream<A2, E2, R2>
  ): <A, E, R>(self: FallbackStream<A, E, R>) => FallbackStream<A | A2, E | E2, R | R2>
  /**
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
 * Bounds the run's way to its commit point. What comes after is bounded by the tier's `idle` and `maxStream`.
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
   * @since 0.1.0
   * @category combinators
   */
  (duration: Duration.DurationInput): <A, E, R>(self: FallbackStream<A, E, R>) => FallbackStream<A, E, R>
  /**
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
 * Caps the tiers that one run may start.
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
   * @since 0.1.0
   * @category combinators
   */
  (tiers: number): <A, E, R>(self: FallbackStream<A, E, R>) => FallbackStream<A, E, R>
  /**
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
   * @since 0.1.0
   * @category combinators
   */
  (name: string): <A, E, R>(self: FallbackStream<A, E, R>) => FallbackStream<A, E, R>
  /**
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
 * Runs the fallback to its commit point: succeeds with the serving tier's stream and how it came about, before
 * any of it is consumed. Leaving the scope before the stream's end closes the tier's connection.
 *
 * With a `listener` that one hears what happens, in place of `Attempt.Listener`; default: none of its own.
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
> => given(self.ladder, streamed, options?.listener)

/**
 * The same as {@link served} for who reads the stream by hand. It has ended when a pull fails, with `None` or an error;
 * whoever stops reading before that has to leave the scope.
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
> => given(self.ladder, identity, options?.listener)

const streamed = <A, E>(pull: Pull<A, E>, close: Close): Stream.Stream<A, E> =>
  Stream.ensuringWith(Stream.repeatEffectChunkOption(pull), close)

const fromLadder = <A, E, R>(ladder: FallbackStream<A, E, R>["ladder"]): FallbackStream<A, E, R> =>
  // Effect offers no class to extend for a Stream, so the ladder rides on a stream made of it: late, for who pulls never asks.
  Object.assign(
    Stream.suspend(() => Stream.unwrapScoped(Effect.map(given(ladder, streamed), ({ value }) => value))),
    { ladder }
  )
