import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type * as Tracer from "effect/Tracer"
import * as Backoff from "../Backoff.ts"
import type { Permit } from "../CircuitBreaker.ts"
import * as Deadline from "../Deadline.ts"
import type { Outcome } from "../Outcome.ts"
import { type Options, runAttempt } from "./attempt.ts"
import { AllTiersFailed, type Group, type Ladder, type Rung, type Served } from "./ladder.ts"
import { type OpenAttempt, RunObserver } from "./observer.ts"

/** A run that has its answer, or the beginning of it. */
export interface Committed<X, E> {
  readonly served: Served<X, E>
  /** Ends the run: closes the serving attempt's scope, its spans and the run's. To be called once. */
  readonly finish: (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<void>
}

/**
 * One run: asks the tiers in order until one answers, which is given to `onCommit`.
 *
 * Every losing attempt's scope is closed before anything else starts; the serving one's with the attempt, or with
 * `keepScope` by `finish`, so that a stream can go on in it. The loop itself cannot be interrupted, only an
 * attempt or a wait in it can: so an admitted call is always reported to its breaker, exactly once.
 */
export const run = <X, E, R, A, R2>(
  ladder: Ladder<X, E, R>,
  keepScope: boolean,
  onCommit: (committed: Committed<X, E>) => Effect.Effect<A, never, R2>
): Effect.Effect<A, E | AllTiersFailed<E>, Exclude<R, Scope.Scope> | R2> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.withFiberRuntime((fiber) => {
      const observer = new RunObserver<E>(fiber, ladder)
      const deadline = Math.min(
        Context.get(fiber.currentContext, Deadline.Current),
        observer.startedAt + ladder.deadline
      )
      return Effect.matchCauseEffect(climb({ ladder, keepScope, restore, observer, deadline }), {
        onSuccess: onCommit,
        onFailure: (cause) => {
          const exit = Exit.failCause(cause)
          observer.close(exit)
          return exit
        }
      })
    })
  )

interface Run<X, E, R> {
  readonly ladder: Ladder<X, E, R>
  readonly keepScope: boolean
  readonly restore: <A1, E1, R1>(effect: Effect.Effect<A1, E1, R1>) => Effect.Effect<A1, E1, R1>
  readonly observer: RunObserver<E>
  readonly deadline: number
}

/** The tiers in order. */
const climb = <X, E, R>(
  run: Run<X, E, R>
): Effect.Effect<Committed<X, E>, E | AllTiersFailed<E>, Exclude<R, Scope.Scope>> =>
  Effect.gen(function* () {
    const { deadline, ladder, observer } = run
    const groups = new Map<Group, GroupProgress>()
    let started = 0

    for (const rung of ladder.rungs) {
      if (started >= ladder.maxTiers) break
      const now = observer.now()
      if (now >= deadline) return yield* allTiersFailed(observer, "deadline")
      const progress = enter(rung, groups, now)
      if (progress.some((group) => group.started >= group.maxTiers || group.deadline <= now)) continue

      const groupDeadline = progress.reduce(
        (least, group) => Math.min(least, group.deadline),
        Number.POSITIVE_INFINITY
      )
      const result = yield* tryTier(run, rung, Math.min(now + rung.timeout, groupDeadline))
      switch (result._tag) {
        case "Committed":
          return result
        case "Aborted":
          return yield* Effect.failCause(result.cause)
        case "DeadlineOver":
          return yield* allTiersFailed(observer, "deadline")
        case "Failed":
          started++
          for (const group of progress) group.started++
          break
        case "Refused":
          break
      }
    }

    const [only] = ladder.rungs
    const cause = observer.attempts[0]?.cause
    if (ladder.rungs.length === 1 && only.backoff.times === 0 && cause !== undefined && isOwn(cause)) {
      return yield* Effect.failCause(cause)
    }
    return yield* allTiersFailed(observer, observer.attempts.length === 0 ? "open" : "failed")
  })

interface GroupProgress {
  readonly deadline: number
  readonly maxTiers: number
  started: number
}

/** The groups a tier lies in; the clock of a group starts with its first tier. */
const enter = (
  rung: Rung<unknown, unknown, unknown>,
  groups: Map<Group, GroupProgress>,
  now: number
): ReadonlyArray<GroupProgress> =>
  rung.groups.map((group) => {
    const known = groups.get(group)
    if (known !== undefined) return known
    const progress = { deadline: now + group.deadline, maxTiers: group.maxTiers, started: 0 }
    groups.set(group, progress)
    return progress
  })

type TierResult<X, E> =
  | ({ readonly _tag: "Committed" } & Committed<X, E>)
  | { readonly _tag: "Failed" }
  | { readonly _tag: "Refused" }
  | { readonly _tag: "Aborted"; readonly cause: Cause.Cause<E> }
  | { readonly _tag: "DeadlineOver" }

/** All attempts of one tier and the waits between them. */
const tryTier = <X, E, R>(
  run: Run<X, E, R>,
  rung: Rung<X, E, R>,
  tierDeadline: number
): Effect.Effect<TierResult<X, E>, never, Exclude<R, Scope.Scope>> =>
  Effect.gen(function* () {
    const { observer } = run
    const { breaker } = rung
    let span: Tracer.Span | undefined
    let previous = rung.backoff.base
    let waited = 0

    for (let number = 1; ; number++) {
      let permit: Permit | undefined
      if (breaker !== undefined) {
        const admission = yield* Effect.either(breaker.admit)
        if (admission._tag === "Left") {
          observer.refused(rung, admission.left.retryAfter)
          if (number === 1) return { _tag: "Refused" }
          observer.closeTier(span, Exit.fail(admission.left))
          return { _tag: "Failed" }
        }
        permit = admission.right.permit
        observer.breakerChanged(rung, admission.right.transition)
      }

      if (number === 1) span = observer.openTier(rung)
      const attempt = observer.openAttempt(rung, span, number, waited)
      const scope = yield* Scope.make()
      const exit = Exit.flatten(
        yield* Effect.exit(run.restore(runAttempt(bounds(run, attempt, scope, tierDeadline))))
      )
      const outcome = heed(rung, rung.judge(exit))
      if (breaker !== undefined && permit !== undefined) {
        observer.breakerChanged(rung, yield* breaker.report(permit, outcome))
      }

      if (Exit.isSuccess(exit)) {
        return committed(run, attempt, span, scope, exit.value)
      }
      const wait = yield* plan(
        rung,
        outcome,
        number,
        previous,
        Math.min(tierDeadline, run.deadline),
        observer
      )
      observer.closeAttempt(attempt, exit, outcome, wait._tag)
      switch (wait._tag) {
        case "abort":
          observer.closeTier(span, exit)
          return isOwn(exit.cause) ? { _tag: "Aborted", cause: exit.cause } : { _tag: "DeadlineOver" }
        case "nextTier":
          observer.closeTier(span, exit)
          return { _tag: "Failed" }
        case "retry": {
          previous = wait.backoff
          waited = Duration.toMillis(wait.delay)
          const slept = yield* Effect.exit(run.restore(Effect.sleep(wait.delay)))
          if (Exit.isFailure(slept)) {
            observer.closeTier(span, slept)
            return { _tag: "Aborted", cause: slept.cause }
          }
        }
      }
    }
  })

const committed = <X, E, R>(
  { keepScope, ladder, observer }: Run<X, E, R>,
  attempt: OpenAttempt<E>,
  tier: Tracer.Span | undefined,
  scope: Scope.CloseableScope,
  value: X
): TierResult<X, E> => {
  const { rung } = attempt
  const answer = observer.committed(attempt)
  return {
    _tag: "Committed",
    served: {
      value,
      tier: rung.name,
      labels: rung.labels,
      fallback: rung !== ladder.rungs[0],
      attempts: [...observer.attempts, answer]
    },
    finish: (exit) =>
      Effect.zipRight(
        keepScope ? Scope.close(scope, exit) : Effect.void,
        Effect.sync(() => {
          observer.closeAttempt(attempt, exit, rung.judge(exit), undefined)
          observer.closeTier(tier, exit)
          observer.close(exit)
        })
      )
  }
}

/** An attempt under the nearest of its bounds; its own bound wins a tie. */
const bounds = <X, E, R>(
  { deadline, keepScope, observer }: Run<X, E, R>,
  { rung, span }: OpenAttempt<E>,
  scope: Scope.CloseableScope,
  tierDeadline: number
): Options<X, E, R> => {
  const now = observer.now()
  const limit = Math.min(rung.attemptTimeout, tierDeadline - now, deadline - now)
  const bound =
    limit === rung.attemptTimeout ? rung.attemptBound : limit === tierDeadline - now ? "timeout" : "deadline"
  return {
    effect: (rung as Rung<X, E, R>).attempt,
    scope,
    keepScope,
    clock: observer.clock,
    span,
    deadline: now + limit,
    limit,
    exceeded: () => new Deadline.DeadlineExceeded({ bound, limit: Duration.millis(limit) })
  }
}

/** A hint longer than the tier is willing to wait sends the run on at once and opens the breaker until then. */
const heed = (rung: Rung<unknown, unknown, unknown>, outcome: Outcome): Outcome =>
  outcome._tag === "Failure" &&
  outcome.retryAfter !== undefined &&
  Duration.toMillis(outcome.retryAfter) > rung.maxRetryAfter
    ? { ...outcome, trip: true, next: outcome.next === "retry" ? "nextTier" : outcome.next }
    : outcome

type Plan =
  | { readonly _tag: "retry"; readonly delay: Duration.Duration; readonly backoff: Duration.Duration }
  | { readonly _tag: "nextTier" }
  | { readonly _tag: "abort" }

/** Decides what follows a failed attempt. A wait that cannot lead to another attempt is not begun. */
const plan = <E>(
  rung: Rung<unknown, E, unknown>,
  outcome: Outcome,
  number: number,
  previous: Duration.Duration,
  deadline: number,
  observer: RunObserver<E>
): Effect.Effect<Plan> => {
  if (outcome._tag === "Success") return nextTier
  if (outcome.next !== "retry") return outcome.next === "abort" ? abort : nextTier
  if (number > rung.backoff.times) return nextTier
  return Effect.gen(function* () {
    const backoff = yield* Backoff.delay(rung.backoff, number, previous)
    const delay = Duration.max(backoff, outcome.retryAfter ?? Duration.zero)
    const resumeAt = observer.now() + Duration.toMillis(delay)
    if (resumeAt >= deadline) return yield* nextTier
    if (rung.breaker !== undefined) {
      const state = yield* rung.breaker.state
      if (state._tag === "Open" && state.until > resumeAt) return yield* nextTier
    }
    return { _tag: "retry", delay, backoff }
  })
}

const nextTier: Effect.Effect<Plan> = Effect.succeed({ _tag: "nextTier" })
const abort: Effect.Effect<Plan> = Effect.succeed({ _tag: "abort" })

const isOwn = <E>(cause: Cause.Cause<E | Deadline.DeadlineExceeded>): cause is Cause.Cause<E> => {
  const error = Cause.failureOption(cause)
  return error._tag === "None" || !(error.value instanceof Deadline.DeadlineExceeded)
}

const allTiersFailed = <E>(
  observer: RunObserver<E>,
  reason: AllTiersFailed<E>["reason"]
): Effect.Effect<never, AllTiersFailed<E>> => {
  const hints = [...observer.refusals, ...observer.attempts].flatMap(({ retryAfter }) => retryAfter ?? [])
  return Effect.fail(
    new AllTiersFailed<E>({
      reason,
      attempts: observer.attempts,
      refusals: observer.refusals,
      retryAfter: hints.length === 0 ? undefined : hints.reduce(Duration.min)
    })
  )
}
