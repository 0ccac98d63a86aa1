import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type { Attempt, Labels, Refusal } from "../../Attempt.ts"
import type { Backoff } from "../../Backoff.ts"
import type { CircuitBreaker } from "../../CircuitBreaker.ts"
import type { Bound } from "../../Deadline.ts"
import type { Classify } from "../../Outcome.ts"
import type { RetryBudget } from "../../RetryBudget.ts"
import { eachOnce } from "./groups.ts"

/** A tier as the engine sees it: times in milliseconds, `Infinity` for none. */
export interface Rung<out X, out E, out R> {
  readonly name: string
  readonly labels: Labels
  readonly span: { readonly name: string; readonly attributes: Readonly<Record<string, unknown>> }
  readonly attempt: Effect.Effect<X, E, R>
  readonly timeout: number
  readonly attemptTimeout: number
  /** The name of the bound on an attempt. */
  readonly attemptBound: Bound & ("attemptTimeout" | "firstToken")
  readonly backoff: Backoff
  readonly maxRetryAfter: number
  readonly breaker: CircuitBreaker | undefined
  readonly budget: RetryBudget | undefined
  /** Classifies the errors of this tier only. */
  readonly classify: Classify<never>
  readonly retryTimeouts: boolean
  readonly groups: ReadonlyArray<Group>
  /** The next tier starts alongside this one if it has not answered by then. */
  readonly hedgeAfter: number
  /** The transcript of its stream, for tiers below with the same one; `resume` continues from it. */
  readonly transcript: Transcript<never, unknown> | undefined
  readonly resume: ((sent: unknown) => Effect.Effect<X, E, R>) | undefined
}

/**
 * Accumulates what a tier has to know of the elements already emitted, to continue a stream that breaks off: it starts
 * as `empty`, and `add` adds one element. If that returns `undefined`, no tier can continue any more.
 *
 * **Details**
 * - A stream of a tier with a `transcript` can be continued by the `resume` of tiers below it with the very same
 *   transcript. Their elements are emitted as they are, after the earlier ones; they have to fit together.
 * - They are asked if the stream fails after its commit point with an outcome that counts against its tier and allows
 *   another tier: not if the caller leaves, nor if the outcome is ignored or aborts.
 * - Each is asked as usual, with its breaker, bounds and retries; what it emits before its first content is dropped if
 *   it fails. `atMost` keeps counting; deadlines apply only up to the first commit point. If none continues, the caller
 *   gets the failure with which the stream broke off.
 * - The run is served by the tier that ends it; the attempts before it have failed.
 * - Nothing is kept if no tier below could continue. Otherwise `add` decides what is kept, and should bound it.
 *
 * @example
 * import { Chunk, Effect, Stream } from "effect"
 * import { FallbackStream } from "@understudy/core"
 *
 * const transcript: FallbackStream.Transcript<string, string> = { empty: "", add: (text, word) => text + word }
 * const breaks = Stream.concat(Stream.make("The show ", "must "), Stream.fail("reset"))
 * const play = FallbackStream.tier({ name: "primary", stream: breaks, transcript }).pipe(
 *   FallbackStream.orElse(
 *     FallbackStream.tier({
 *       name: "standby",
 *       stream: Stream.make("The show must go on."),
 *       transcript,
 *       resume: (sent) => Stream.make("The show must go on.".slice(sent.length))
 *     })
 *   )
 * )
 *
 * console.log(Chunk.toArray(await Effect.runPromise(Stream.runCollect(play)))) // => [ 'The show ', 'must ', 'go on.' ]
 *
 * @since 0.1.0
 * @category models
 */
export interface Transcript<in A, in out S> {
  /** Of nothing. */
  readonly empty: S
  /** With one more element; `undefined` if no tier can continue from there. */
  readonly add: (sent: S, element: A) => S | undefined
}

/** A composition with its own bounds inside a larger one. */
export interface Group {
  readonly deadline: number
  readonly maxTiers: number
}

export interface Ladder<out X, out E, out R> extends Group {
  readonly name: string
  readonly rungs: Rungs<X, E, R>
}

/** One or more rungs in order: an array, or a collection that makes each of them lazily. */
export interface Rungs<out X, out E, out R> extends Iterable<Rung<X, E, R>> {
  readonly length: number
  at(index: number): Rung<X, E, R> | undefined
}

const unbounded: Group = { deadline: Number.POSITIVE_INFINITY, maxTiers: Number.POSITIVE_INFINITY }

export const ladderOf = <X, E, R>(rung: Rung<X, E, R>): Ladder<X, E, R> => ({
  ...unbounded,
  name: rung.name,
  rungs: [rung]
})

export const orElse = <X, E, R, X2, E2, R2>(
  self: Ladder<X, E, R>,
  that: Ladder<X2, E2, R2>
): Ladder<X | X2, E | E2, R | R2> => ({
  ...unbounded,
  name: self.name,
  rungs: [...enclose(self), ...enclose(renewed(that))]
})

/** A composition may occur in a ladder twice, each time with its own bounds. */
const renewed = <X, E, R>(ladder: Ladder<X, E, R>): Ladder<X, E, R> => {
  const rungs = Array.from(ladder.rungs)
  if (rungs.every(({ groups }) => groups.length === 0)) return ladder
  const own = eachOnce((group) => ({ ...group }))
  return { ...ladder, rungs: rungs.map((rung) => ({ ...rung, groups: rung.groups.map(own) })) }
}

/** `orElse` whose second part does not wait for the first to fail. */
export const hedge = <X, E, R, X2, E2, R2>(
  self: Ladder<X, E, R>,
  that: Ladder<X2, E2, R2>,
  after: Duration.DurationInput
): Ladder<X | X2, E | E2, R | R2> => {
  const last = self.rungs.length - 1
  const hedged = (rung: Rung<X, E, R>, index: number) =>
    index === last ? { ...rung, hedgeAfter: Duration.toMillis(after) } : rung
  return orElse({ ...self, rungs: Array.from(self.rungs, hedged) }, that)
}

const enclose = <X, E, R>(ladder: Ladder<X, E, R>): Rungs<X, E, R> => {
  if (ladder.deadline === Number.POSITIVE_INFINITY && ladder.maxTiers === Number.POSITIVE_INFINITY) {
    return ladder.rungs
  }
  const group: Group = { deadline: ladder.deadline, maxTiers: ladder.maxTiers }
  return Array.from(ladder.rungs, (rung) => ({ ...rung, groups: [...rung.groups, group] }))
}

export const within = <X, E, R>(
  self: Ladder<X, E, R>,
  duration: Duration.DurationInput
): Ladder<X, E, R> => ({
  ...self,
  deadline: Math.min(self.deadline, Duration.toMillis(duration))
})

export const atMost = <X, E, R>(self: Ladder<X, E, R>, tiers: number): Ladder<X, E, R> => {
  if (!(Number.isInteger(tiers) && tiers >= 1)) {
    throw new RangeError(`atMost: tiers must be an integer of 1 or more, got ${tiers}`)
  }
  return { ...self, maxTiers: Math.min(self.maxTiers, tiers) }
}

export const mapAttempts = <X, E, R, X2, R2>(
  self: Ladder<X, E, R>,
  f: (attempt: Effect.Effect<X, E, R>) => Effect.Effect<X2, E, R2>
): Ladder<X2, E, R2> => {
  const map = (rung: Rung<X, E, R>): Rung<X2, E, R2> => ({
    ...rung,
    attempt: f(rung.attempt),
    // For streams only.
    resume: undefined
  })
  return { ...self, rungs: Array.from(self.rungs, map) }
}

/**
 * The answer of a run, and how it came about.
 *
 * @since 0.1.0
 * @category models
 */
export interface Served<out X, out E> {
  readonly value: X
  /** The tier whose answer this is. */
  readonly tier: string
  readonly labels: Labels
  /** Whether that is a tier other than the first. */
  readonly fallback: boolean
  /** Every attempt in the order they ended, including the one that answered. */
  readonly attempts: ReadonlyArray<Attempt<E>>
}

/**
 * No tier answered. Carries every attempt in the order they ended, the refusals, and the shortest `retryAfter` of any
 * of them.
 *
 * @example
 * import { Effect } from "effect"
 * import { Fallback, Tier } from "@understudy/core"
 *
 * const program = Tier.make({ name: "a", effect: Effect.fail("down") }).pipe(
 *   Fallback.orElse(Tier.make({ name: "b", effect: Effect.fail("down too") })),
 *   Effect.catchTag("AllTiersFailed", (error) => Effect.succeed(error.attempts.map(({ tier }) => tier)))
 * )
 *
 * console.log(Effect.runSync(program)) // => [ 'a', 'b' ]
 *
 * @since 0.1.0
 * @category errors
 */
export class AllTiersFailed<out E> extends Data.TaggedError("AllTiersFailed")<{
  /** `open` if no tier was asked because breakers refused, `deadline` if the time was over before one answered. */
  readonly reason: "failed" | "deadline" | "open"
  readonly attempts: ReadonlyArray<Attempt<unknown>>
  /** The tiers that were not asked because their breakers refused, in order. */
  readonly refusals: ReadonlyArray<Refusal>
  /** The shortest `retryAfter` of any tier. */
  readonly retryAfter: Duration.Duration | undefined
}> {
  /** Every attempt in the order they ended, each with its cause. */
  declare readonly attempts: ReadonlyArray<Attempt<E>>

  override get message(): string {
    const { length } = this.attempts
    const after = `after ${length} ${length === 1 ? "attempt" : "attempts"}`
    switch (this.reason) {
      case "open":
        return "the circuit of every tier is open"
      case "deadline":
        return `the deadline ended the run ${after}`
      case "failed":
        return `all tiers failed ${after}`
    }
  }
}
