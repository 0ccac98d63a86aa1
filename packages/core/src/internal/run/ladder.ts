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
  /** What to call the bound on an attempt. */
  readonly attemptBound: Bound & ("attemptTimeout" | "firstToken")
  readonly backoff: Backoff
  readonly maxRetryAfter: number
  readonly breaker: CircuitBreaker | undefined
  readonly budget: RetryBudget | undefined
  /** Of the errors of this very tier. */
  readonly classify: Classify<never>
  readonly retryTimeouts: boolean
  readonly groups: ReadonlyArray<Group>
  /** The next tier starts beside this one when it has not answered by then. */
  readonly hedgeAfter: number
  /** What is kept of its stream, for tiers below that keep the same; and how it goes on from there itself. */
  readonly transcript: Transcript<never, unknown> | undefined
  readonly resume: ((sent: unknown) => Effect.Effect<X, E, R>) | undefined
}

/**
 * What is to be known of what a caller was given, for a tier to go on from there when the stream breaks off: `empty`
 * of nothing, and with `add` of one element more. Where that is `undefined`, nobody can go on any more.
 *
 * **Details**
 * - A tier with a `transcript` lets those below it that have the very same go on with its stream, by their `resume`.
 *   What they give comes after what was given, as it is: that both together make sense is up to them.
 * - They are asked if the stream fails after its commit point, as one that counts against its tier and lets the next
 *   one be asked: not when the caller leaves, nor when the outcome is ignored or aborts.
 * - Each is asked as ever, with its breaker, bounds and retries, and what it says before its first content is not
 *   given to anybody if it fails. `atMost` counts on; deadlines bound the way to the first commit point alone. Where
 *   none goes on, the caller gets the failure that the stream broke off with.
 * - Then the run is served by the tier that ends it. The attempts before it have failed.
 * - Nothing is kept where no tier below could go on. What is kept otherwise is what `add` keeps: it is to set a bound.
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
  /** With one more element; `undefined` where nobody can go on from there. */
  readonly add: (sent: S, element: A) => S | undefined
}

/** A composition that was given bounds of its own before it became part of a larger one. */
export interface Group {
  readonly deadline: number
  readonly maxTiers: number
}

export interface Ladder<out X, out E, out R> extends Group {
  readonly name: string
  readonly rungs: Rungs<X, E, R>
}

/** In their order, one or more: an array, or what makes each of them when it is first asked for. */
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

/** The same composition may be part of a ladder twice: each time its bounds are its own. */
const renewed = <X, E, R>(ladder: Ladder<X, E, R>): Ladder<X, E, R> => {
  const rungs = Array.from(ladder.rungs)
  if (rungs.every(({ groups }) => groups.length === 0)) return ladder
  const own = eachOnce((group) => ({ ...group }))
  return { ...ladder, rungs: rungs.map((rung) => ({ ...rung, groups: rung.groups.map(own) })) }
}

/** `orElse` whose second part does not wait for the end of the first. */
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
    // Of a stream's alone.
    resume: undefined
  })
  return { ...self, rungs: Array.from(self.rungs, map) }
}

/**
 * What a run gave its caller, and how it came about.
 *
 * @since 0.1.0
 * @category models
 */
export interface Served<out X, out E> {
  readonly value: X
  /** The tier whose answer this is. */
  readonly tier: string
  readonly labels: Labels
  /** Whether that is another tier than the first. */
  readonly fallback: boolean
  /** Every attempt as they ended, the one whose answer it is among them. */
  readonly attempts: ReadonlyArray<Attempt<E>>
}

/**
 * No tier answered. Carries every attempt in the order they ended, the tiers that were refused, and the soonest
 * time any of them named for trying again.
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
  readonly reason: "failed" | "deadline" | "open"
  readonly attempts: ReadonlyArray<Attempt<unknown>>
  /** Tiers that their breakers kept from being asked, in order. */
  readonly refusals: ReadonlyArray<Refusal>
  /** The soonest time any tier named for trying again. */
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
