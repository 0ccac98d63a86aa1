/**
 * The record of one try, and the events of a run.
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { LazyArg } from "effect/Function"
import type { Transition } from "./CircuitBreaker.ts"
import type { DeadlineExceeded } from "./Deadline.ts"
import { annotate } from "./internal/run/span.ts"
import { Underway } from "./internal/run/underway.ts"
import type { Next } from "./Outcome.ts"

/**
 * How an attempt ended, as logs, spans and metrics name it.
 *
 * `timeout`: the attempt exceeded its own timeout, or was cut short by its tier's timeout or the run's deadline.
 * `ignored`: it says nothing about the tier's health (the caller's mistake or slowness, an unusable answer).
 * `interrupted`: the caller left, or another tier answered first.
 *
 * @since 0.1.0
 * @category models
 */
export type AttemptOutcome = "success" | "failure" | "timeout" | "ignored" | "interrupted"

/**
 * One try of a tier's effect.
 *
 * @since 0.1.0
 * @category models
 */
export interface Attempt<out E> {
  readonly tier: string
  readonly labels: Labels
  /** The initial attributes of its tier's span, whether or not that span is sampled. */
  readonly attributes: Readonly<Record<string, unknown>>
  /** Counts from 1 within the tier. */
  readonly number: number
  readonly outcome: AttemptOutcome
  readonly errorType: string | undefined
  /** Why it failed; `undefined` for a success. */
  readonly cause: Cause.Cause<E | DeadlineExceeded> | undefined
  /** From its start to its end; for a stream, to the end of the stream. */
  readonly duration: Duration.Duration
  /** For a stream, from its start to its commit point. */
  readonly firstToken: Duration.Duration | undefined
  /** For a stream that has begun, the time between its pieces of content. */
  readonly pace: Pace | undefined
  /** What it consumed, as far as it reported that with {@link recordUsage}; failed attempts included. */
  readonly usage: Usage | undefined
  /** How long the run waited before it. */
  readonly waited: Duration.Duration
  /** The wait requested by the upstream. */
  readonly retryAfter: Duration.Duration | undefined
  /** What the run did next; `undefined` if it ended with this attempt. */
  readonly next: Next | undefined
  readonly span: SpanIds | undefined
}

/**
 * The times between a stream's pieces of content, one for every piece after the first. Time during which the caller has
 * not yet taken what is there does not count, and pieces that arrive together count as zero apart.
 *
 * @since 0.1.0
 * @category models
 */
export interface Pace {
  /**
   * A histogram: for each of {@link paceBounds}, the times up to that bound and above the one before; last, the times
   * above all of them.
   */
  readonly counts: ReadonlyArray<number>
  /** All of them together. */
  readonly seconds: number
}

export { paceBounds } from "./internal/run/pace.ts"

/**
 * What an attempt consumed, by unit: `input_tokens` and `output_tokens`, for example.
 *
 * @since 0.1.0
 * @category models
 */
export interface Usage {
  readonly [unit: string]: number
}

/**
 * A tier's labels, such as its model and provider.
 *
 * @since 0.1.0
 * @category models
 */
export interface Labels {
  readonly [name: string]: string
}

/**
 * Identifies a span.
 *
 * @since 0.1.0
 * @category models
 */
export interface SpanIds {
  readonly traceId: string
  readonly spanId: string
  /** Whether it is recorded. */
  readonly sampled: boolean
}

/**
 * A tier that was not asked because its breaker refused.
 *
 * @since 0.1.0
 * @category models
 */
export interface Refusal {
  readonly tier: string
  readonly labels: Labels
  readonly retryAfter: Duration.Duration
}

/**
 * The end of a tier that was asked: it has given its whole answer, including a stream to its end, or was given up.
 *
 * @since 0.1.0
 * @category models
 */
export interface TierEnded {
  readonly _tag: "TierEnded"
  readonly run: string
  /** Its last attempt, whose outcome is the tier's; the earlier ones have lower numbers. */
  readonly last: Attempt<unknown>
  /** From the start of its first attempt, including waits: the duration of its span. */
  readonly duration: Duration.Duration
  readonly span: SpanIds | undefined
}

/**
 * How a run ended. `rejected` is the caller's mistake or slowness, `cancelled` a caller that left.
 *
 * @since 0.1.0
 * @category models
 */
export type RunOutcome = "success" | "failure" | "rejected" | "cancelled"

/**
 * The events of a run, in order. An attempt's event comes when the attempt has ended: for a stream, when its last
 * element has been taken or the caller has left. The event of its tier follows it. A `BreakerChanged` names the run and
 * tier that the breaker belongs to, which may differ from those that caused the change.
 *
 * @since 0.1.0
 * @category models
 */
export type Event =
  | { readonly _tag: "AttemptEnded"; readonly run: string; readonly attempt: Attempt<unknown> }
  | TierEnded
  | { readonly _tag: "TierRefused"; readonly run: string; readonly refusal: Refusal }
  | {
      readonly _tag: "BreakerChanged"
      readonly run: string
      readonly tier: string
      readonly labels: Labels
      readonly transition: Transition
    }
  | RunEnded

/**
 * The end of a run, and how it came about.
 *
 * @since 0.1.0
 * @category models
 */
export interface RunEnded {
  readonly _tag: "RunEnded"
  readonly run: string
  readonly outcome: RunOutcome
  /** The tier whose answer the caller got. */
  readonly servedBy: string | undefined
  readonly labels: Labels | undefined
  readonly fallback: boolean
  /**
   * If another tier served, why the first did not: the error type of its last attempt, `circuit_open` if its breaker
   * refused, `hedge` if another tier was faster, `deadline` if there was no time to ask it.
   */
  readonly fallbackReason: string | undefined
  /**
   * The error type of its last attempt; `defect` if the run itself died, `interrupted` if the caller left. Of a run
   * without an attempt `circuit_open` if a breaker refused, else `deadline`.
   */
  readonly errorType: string | undefined
  /** How many attempts the run made. */
  readonly attempts: number
  readonly duration: Duration.Duration
  readonly span: SpanIds | undefined
}

/**
 * Receives every event of the runs below it. It is called in the run's own fiber and must return at once; exceptions it
 * throws are ignored.
 *
 * @example
 * import { Effect } from "effect"
 * import { Attempt, Tier } from "@understudy/core"
 *
 * const primary = Tier.make({ name: "primary", effect: Effect.succeed(42) })
 * const heard: Array<string> = []
 * const program = Effect.provideService(primary, Attempt.Listener, (event) => heard.push(event._tag))
 *
 * console.log(Effect.runSync(program)) // => 42
 * console.log(heard) // => [ 'AttemptEnded', 'TierEnded', 'RunEnded' ]
 *
 * @since 0.1.0
 * @category context
 */
export class Listener extends Context.Reference<Listener>()("@understudy/core/Attempt/Listener", {
  defaultValue: (): ((event: Event) => void) | undefined => undefined
}) {}

/**
 * Reports what the current attempt has consumed, for its record and event. If a unit is reported more than once, the
 * last report counts. Outside an attempt it does nothing.
 *
 * @example
 * import { Effect } from "effect"
 * import { Attempt, Fallback, Tier } from "@understudy/core"
 *
 * const ask = Effect.as(Attempt.recordUsage({ output_tokens: 2 }), "Hello there")
 * const program = Effect.map(Fallback.served(Tier.make({ name: "primary", effect: ask })), ({ attempts }) =>
 *   attempts.map(({ usage }) => usage)
 * )
 *
 * console.log(Effect.runSync(program)) // => [ { output_tokens: 2 } ]
 *
 * @since 0.1.0
 * @category telling
 */
export const recordUsage = (usage: Usage): Effect.Effect<void> =>
  Effect.withFiberRuntime(({ currentContext }) => {
    const attempt = Context.get(currentContext, Underway)?.open
    if (attempt !== undefined)
      attempt.usage = attempt.usage === undefined ? usage : { ...attempt.usage, ...usage }
    return Effect.void
  })

/**
 * Sets attributes on the tier span of the current attempt. They are computed only if that span is sampled; if computing
 * them throws, none are set.
 *
 * @example
 * import { Effect } from "effect"
 * import { Attempt, Tier } from "@understudy/core"
 *
 * const ask = Effect.as(Attempt.annotateTier(() => ({ "gen_ai.response.model": "large-2" })), "answer")
 *
 * console.log(Effect.runSync(Tier.make({ name: "primary", effect: ask }))) // => answer
 *
 * @since 0.1.0
 * @category telling
 */
export const annotateTier = (attributes: LazyArg<Readonly<Record<string, unknown>>>): Effect.Effect<void> =>
  Effect.withFiberRuntime(({ currentContext }) => {
    const span = Context.get(currentContext, Underway)?.open.tierSpan
    if (!span?.sampled) return Effect.void
    // Telemetry must not fail the attempt.
    return Effect.ignore(Effect.try(() => annotate(span, attributes())))
  })
