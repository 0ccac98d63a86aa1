import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import * as Backoff from "../../Backoff.ts"
import * as Outcome from "../../Outcome.ts"
import type * as Tier from "../../Tier.ts"
import type { Rung } from "./ladder.ts"

export const rung = <X, E, R>(
  options: Tier.Options<E>,
  attempt: Effect.Effect<X, E, R>,
  attemptBound: AttemptBound,
  attemptTimeout: Duration.DurationInput | undefined,
  continuation?: Continuation<X, E, R>
): Rung<X, E, R> =>
  runs(fixed(options, attemptBound, attemptTimeout), attempt, options.classify, continuation)

type AttemptBound = Rung<never, never, never>["attemptBound"]

/** How a tier's stream can be continued by others, and it continues theirs. */
export type Continuation<X, E, R> = Pick<Rung<X, E, R>, "transcript" | "resume">

/** The part of a rung that does not depend on what it runs. */
export type Fixed = Omit<
  Rung<unknown, unknown, unknown>,
  "attempt" | "classify" | keyof Continuation<0, 0, 0>
>

export const fixed = (
  options: Omit<Tier.Options<never>, "classify">,
  attemptBound: AttemptBound,
  attemptTimeout: Duration.DurationInput | undefined
): Fixed => ({
  name: options.name,
  labels: options.labels ?? {},
  span: {
    name: options.span?.name ?? `tier ${options.name}`,
    attributes: { ...options.span?.attributes, "understudy.tier": options.name }
  },
  timeout: bound(options.timeout),
  attemptTimeout: bound(attemptTimeout),
  attemptBound,
  backoff: options.backoff ?? Backoff.none,
  maxRetryAfter: Duration.toMillis(options.maxRetryAfter ?? "5 seconds"),
  retryTimeouts: options.retryTimeouts ?? false,
  breaker: options.breaker,
  budget: options.budget,
  groups: [],
  hedgeAfter: Number.POSITIVE_INFINITY
})

export const runs = <X, E, R>(
  fixed: Fixed,
  attempt: Effect.Effect<X, E, R>,
  classify: Outcome.Classify<E> = Outcome.classifyError,
  { resume, transcript }: Continuation<X, E, R> = noContinuation
): Rung<X, E, R> => ({
  // Made for every tier of every run: a spread would take V8 fifty times as long.
  name: fixed.name,
  labels: fixed.labels,
  span: fixed.span,
  attempt,
  timeout: fixed.timeout,
  attemptTimeout: fixed.attemptTimeout,
  attemptBound: fixed.attemptBound,
  backoff: fixed.backoff,
  maxRetryAfter: fixed.maxRetryAfter,
  breaker: fixed.breaker,
  budget: fixed.budget,
  classify,
  retryTimeouts: fixed.retryTimeouts,
  groups: fixed.groups,
  hedgeAfter: fixed.hedgeAfter,
  transcript,
  resume
})

const noContinuation: Continuation<never, never, never> = { transcript: undefined, resume: undefined }

const bound = (input: Duration.DurationInput | undefined): number =>
  input === undefined ? Number.POSITIVE_INFINITY : Duration.toMillis(input)
