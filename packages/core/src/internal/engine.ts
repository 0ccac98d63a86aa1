import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Backoff from "../Backoff.ts"
import type { Permit } from "../CircuitBreaker.ts"
import * as Deadline from "../Deadline.ts"
import type { Failure, Outcome } from "../Outcome.ts"
import { AllTiersFailed, type Group, type Ladder, type Rung, type Served } from "./ladder.ts"
import { type AttemptObserver, openRun, type RunObserver } from "./observer.ts"

/**
 * One run: asks the tiers in order until one answers.
 *
 * The answer's scope is a child of `scope` and is left open, so that a stream can go on in it; every other
 * attempt's scope is closed before anything else starts. The loop itself cannot be interrupted, only an attempt
 * or a wait in it can: so an admitted call is always reported to its breaker, exactly once.
 */
export const run = <X, E, R>(
  ladder: Ladder<X, E, R>,
  scope: Scope.Scope
): Effect.Effect<Served<X, E>, E | AllTiersFailed<E>, Exclude<R, Scope.Scope>> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const observer = yield* openRun(ladder, scope)
      const runDeadline = Math.min(yield* Deadline.Current, observer.now() + ladder.deadline)
      const bounds = { runDeadline, ladder, restore, observer }
      const groups = new Map<Group, GroupProgress>()
      let started = 0

      for (const rung of ladder.rungs) {
        if (started >= ladder.maxTiers) break
        const now = observer.now()
        if (now >= runDeadline) return yield* allTiersFailed(observer, "deadline")
        const progress = enter(rung, groups, now)
        if (progress.some((group) => group.started >= group.maxTiers || group.deadline <= now)) continue

        const deadline = Math.min(...progress.map((group) => group.deadline))
        const result = yield* climb(rung, deadline, bounds)
        switch (result._tag) {
          case "Served":
            return {
              value: result.value,
              tier: rung.name,
              labels: rung.labels,
              fallback: rung !== ladder.rungs[0],
              attempts: [...observer.attempts, result.attempt]
            }
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
      if (ladder.rungs.length === 1 && only.backoff.times === 0 && cause !== undefined && ownFailure(cause)) {
        return yield* Effect.failCause(cause)
      }
      return yield* allTiersFailed(observer, observer.attempts.length === 0 ? "open" : "failed")
    })
  )

interface Bounds<X, E, R> {
  readonly runDeadline: number
  readonly ladder: Ladder<X, E, R>
  readonly restore: <A1, E1, R1>(effect: Effect.Effect<A1, E1, R1>) => Effect.Effect<A1, E1, R1>
  readonly observer: RunObserver<E>
}

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
  | { readonly _tag: "Served"; readonly value: X; readonly attempt: Served<X, E>["attempts"][number] }
  | { readonly _tag: "Failed" }
  | { readonly _tag: "Refused" }
  | { readonly _tag: "Aborted"; readonly cause: Cause.Cause<E> }
  | { readonly _tag: "DeadlineOver" }

/** All attempts of one tier and the waits between them. */
const climb = <X, E, R>(
  rung: Rung<X, E, R>,
  groupDeadline: number,
  { observer, restore, runDeadline }: Bounds<X, E, R>
): Effect.Effect<TierResult<X, E>, never, Exclude<R, Scope.Scope>> =>
  Effect.gen(function* () {
    const { breaker } = rung
    const tierDeadline = Math.min(observer.now() + rung.timeout, groupDeadline)
    let tier: Effect.Effect.Success<ReturnType<typeof observer.openTier>> | undefined
    let previous = rung.backoff.base
    let waited = 0

    const leave = (exit: Exit.Exit<unknown, unknown>, result: TierResult<X, E>) =>
      tier === undefined ? Effect.succeed(result) : Effect.as(Scope.close(tier.scope, exit), result)

    for (let number = 1; ; number++) {
      let permit: Permit | undefined
      if (breaker !== undefined) {
        const admission = yield* Effect.either(breaker.admit)
        if (admission._tag === "Left") {
          observer.refused(rung, admission.left.retryAfter)
          return yield* leave(Exit.fail(admission.left), { _tag: number === 1 ? "Refused" : "Failed" })
        }
        permit = admission.right.permit
        observer.transition(rung, admission.right.transition)
      }

      tier ??= yield* observer.openTier(rung)
      const attempt = yield* observer.openAttempt(rung, tier, number, waited)
      const exit = yield* restore(bounded(rung, attempt, observer.now(), tierDeadline, runDeadline)).pipe(
        Effect.exit
      )
      const outcome = heed(rung, rung.judge(exit))
      if (breaker !== undefined && permit !== undefined) {
        observer.transition(rung, yield* breaker.report(permit, outcome))
      }

      if (Exit.isSuccess(exit)) {
        return { _tag: "Served", value: exit.value, attempt: attempt.commit() }
      }
      const wait = yield* plan(rung, outcome, number, previous, Math.min(tierDeadline, runDeadline), observer)
      attempt.next = wait._tag
      yield* Scope.close(attempt.scope, exit)
      switch (wait._tag) {
        case "abort":
          return yield* leave(
            exit,
            ownFailure(exit.cause) ? { _tag: "Aborted", cause: exit.cause } : { _tag: "DeadlineOver" }
          )
        case "nextTier":
          return yield* leave(exit, { _tag: "Failed" })
        case "retry": {
          previous = wait.backoff
          waited = Duration.toMillis(wait.delay)
          const slept = yield* Effect.exit(restore(Effect.sleep(wait.delay)))
          if (Exit.isFailure(slept)) return yield* leave(slept, { _tag: "Aborted", cause: slept.cause })
        }
      }
    }
  })

/** One attempt in its own scope and span, under the nearest of its bounds; its own bound wins a tie. */
const bounded = <X, E, R>(
  rung: Rung<X, E, R>,
  attempt: AttemptObserver<E>,
  now: number,
  tierDeadline: number,
  runDeadline: number
): Effect.Effect<X, E | Deadline.DeadlineExceeded, Exclude<R, Scope.Scope>> => {
  const limit = Math.min(rung.attemptTimeout, tierDeadline - now, runDeadline - now)
  const inScope = rung.attempt.pipe(
    Scope.extend(attempt.scope),
    Effect.withParentSpan(attempt.span)
  ) as Effect.Effect<X, E, Exclude<R, Scope.Scope>>
  if (limit === Number.POSITIVE_INFINITY) return inScope
  const bound =
    limit === rung.attemptTimeout
      ? rung.attemptBound
      : limit === tierDeadline - now
        ? ("timeout" as const)
        : ("deadline" as const)
  return inScope.pipe(
    Effect.provideService(Deadline.Current, now + limit),
    // Without this the bound would wait for an attempt that does not let itself be interrupted.
    Effect.disconnect,
    Effect.timeoutFail({
      duration: Duration.millis(Math.max(0, limit)),
      onTimeout: () => new Deadline.DeadlineExceeded({ bound, limit: Duration.millis(limit) })
    })
  )
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
): Effect.Effect<Plan> =>
  Effect.gen(function* () {
    if (outcome._tag === "Success") return { _tag: "nextTier" }
    if (outcome.next !== "retry") return { _tag: outcome.next }
    if (number > rung.backoff.times) return { _tag: "nextTier" }
    const backoff = yield* Backoff.delay(rung.backoff, number, previous)
    const delay = Duration.max(backoff, (outcome as Failure).retryAfter ?? Duration.zero)
    const resumeAt = observer.now() + Duration.toMillis(delay)
    if (resumeAt >= deadline) return { _tag: "nextTier" }
    if (rung.breaker !== undefined) {
      const state = yield* rung.breaker.state
      if (state._tag === "Open" && state.until > resumeAt) return { _tag: "nextTier" }
    }
    return { _tag: "retry", delay, backoff }
  })

const ownFailure = <E>(cause: Cause.Cause<E | Deadline.DeadlineExceeded>): cause is Cause.Cause<E> => {
  const error = Cause.failureOption(cause)
  return error._tag === "None" || !(error.value instanceof Deadline.DeadlineExceeded)
}

const allTiersFailed = <E>(
  observer: RunObserver<E>,
  reason: AllTiersFailed<E>["reason"]
): Effect.Effect<never, AllTiersFailed<E>> => {
  const hints = observer.refusals.map((refusal) => refusal.retryAfter)
  for (const { retryAfter } of observer.attempts) if (retryAfter !== undefined) hints.push(retryAfter)
  return Effect.fail(
    new AllTiersFailed<E>({
      reason,
      attempts: observer.attempts,
      refusals: observer.refusals,
      retryAfter: hints.length === 0 ? undefined : hints.reduce(Duration.min)
    })
  )
}
