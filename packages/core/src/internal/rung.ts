import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type { Labels } from "../Attempt.ts"
import * as Backoff from "../Backoff.ts"
import type { CircuitBreaker } from "../CircuitBreaker.ts"
import * as Outcome from "../Outcome.ts"
import type { RetryBudget } from "../RetryBudget.ts"
import type { Rung } from "./ladder.ts"

/** The policy of a tier, whatever it runs. */
export interface RungOptions<in E> {
  readonly name: string
  readonly labels?: Labels | undefined
  readonly timeout?: Duration.DurationInput | undefined
  readonly backoff?: Backoff.Backoff | undefined
  readonly maxRetryAfter?: Duration.DurationInput | undefined
  readonly retryTimeouts?: boolean | undefined
  readonly breaker?: CircuitBreaker | undefined
  readonly budget?: RetryBudget | undefined
  readonly classify?: Outcome.Classify<E> | undefined
  readonly span?:
    | {
        readonly name?: string | undefined
        readonly attributes?: Readonly<Record<string, unknown>> | undefined
      }
    | undefined
}

export const rung = <X, E, R>(
  options: RungOptions<E>,
  attempt: Effect.Effect<X, E, R>,
  attemptBound: Rung<X, E, R>["attemptBound"],
  attemptTimeout: Duration.DurationInput | undefined
): Rung<X, E, R> => {
  const classify: Outcome.Classify<E> = options.classify ?? Outcome.classifyError
  const retryTimeouts = options.retryTimeouts ?? false
  return {
    name: options.name,
    labels: options.labels ?? {},
    span: {
      name: options.span?.name ?? `tier ${options.name}`,
      attributes: options.span?.attributes ?? {}
    },
    attempt,
    timeout: bound(options.timeout),
    attemptTimeout: bound(attemptTimeout),
    attemptBound,
    backoff: options.backoff ?? Backoff.none,
    maxRetryAfter: Duration.toMillis(options.maxRetryAfter ?? "5 seconds"),
    breaker: options.breaker,
    budget: options.budget,
    // The engine passes only exits of this very attempt.
    judge: (exit) => Outcome.fromExit(exit as Exit.Exit<X, E>, classify, { retryTimeouts }),
    groups: [],
    hedgeAfter: Number.POSITIVE_INFINITY
  }
}

const bound = (input: Duration.DurationInput | undefined): number =>
  input === undefined ? Number.POSITIVE_INFINITY : Duration.toMillis(input)
