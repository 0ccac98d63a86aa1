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
 * `timeout` is an attempt that ran out of its own time, or was cut short by its tier's timeout or the run's deadline.
 * `ignored` says nothing about the tier's health: the caller's mistake or slowness, an answer of no use. `interrupted` is an attempt
 * whose caller left, or had its answer from another tier first.
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
  /** What its tier's span begins with, whether or not anybody keeps it. */
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
  /** For a stream that has begun, how the pieces of its content came. */
  readonly pace: Pace | undefined
  /** What it used up, as far as it has told with {@link recordUsage}: a failed one too. */
  readonly usage: Usage | undefined
  /** How long the run waited before it. */
  readonly waited: Duration.Duration
  /** The wait that the other side asked for. */
  readonly retryAfter: Duration.Duration | undefined
  /** What the run did next; `undefined` where the attempt was its last word. */
  readonly next: Next | undefined
  readonly span: SpanIds | undefined
}

/**
 * How long a stream took for the pieces of its content, for each after the first from the end of the one before. Time in
 * which its caller has yet to take what is there does not count, and pieces that came in one took nothing.
 *
 * @since 0.1.0
 * @category models
 */
export interface Pace {
  /** How many took no longer than each of {@link paceBounds}, and longer than the bound before; and at last how many took longer. */
  readonly counts: ReadonlyArray<number>
  /** All of them together. */
  readonly seconds: number
}

export { paceBounds } from "./internal/run/pace.ts"

/**
 * What an attempt used up, by its unit: `input_tokens` and `output_tokens`, for example.
 *
 * @since 0.1.0
 * @category models
 */
export interface Usage {
  readonly [unit: string]: number
}

/**
 * What a tier is labelled with, such as its model and provider.
 *
 * @since 0.1.0
 * @category models
 */
export interface Labels {
  readonly [name: string]: string
}

/**
 * Where a span is to be found.
 *
 * @since 0.1.0
 * @category models
 */
export interface SpanIds {
  readonly traceId: string
  readonly spanId: string
  /** Whether anybody keeps it. */
  readonly sampled: boolean
}

/**
 * A tier that its breaker kept from being asked.
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
 * The end of a tier that was asked: it has given its answer, to the end of a stream, or was given up.
 *
 * @since 0.1.0
 * @category models
 */
export interface TierEnded {
  readonly _tag: "TierEnded"
  readonly run: string
  /** Its last attempt, which says what it came to; the others have the numbers before. */
  readonly last: Attempt<unknown>
  /** From the start of its first attempt, waits included: as long as its span. */
  readonly duration: Duration.Duration
  readonly span: SpanIds | undefined
}

/**
 * How a run ended: `rejected` is the caller's mistake or slowness, `cancelled` a caller that left.
 *
 * @since 0.1.0
 * @category models
 */
export type RunOutcome = "success" | "failure" | "rejected" | "cancelled"

/**
 * What happens in a run, in order. An attempt's event comes when the attempt has ended: for a stream, when its last
 * element has been taken or the caller has left. What is said of its tier follows it. A `BreakerChanged` names the run
 * and tier that the breaker belongs to, which may be another one that what happened here concerns too.
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
   * Why the first tier did not serve where another did: what its last attempt failed of, `circuit_open` where its
   * breaker refused, `hedge` where another was faster.
   */
  readonly fallbackReason: string | undefined
  readonly errorType: string | undefined
  /** How many attempts the run made. */
  readonly attempts: number
  readonly duration: Duration.Duration
  readonly span: SpanIds | undefined
}

/**
 * Hears every event of the runs below it. It is called in the run's own fiber and must return at once; what it
 * throws is dropped.
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
 * Tells what the attempt that runs this has used up, for its record and its event. Of what is told of a unit more than
 * once the last counts. Outside an attempt it does nothing.
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
 * Sets attributes on the span of the tier whose attempt runs this. They are asked for only where somebody keeps that
 * span; where that throws, none are set.
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
    // Nothing that is told of an attempt can fail it.
    return Effect.ignore(Effect.try(() => annotate(span, attributes())))
  })
