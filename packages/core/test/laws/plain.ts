import { Cause, Duration, Effect, Option, Schedule } from "effect"
import { Backoff, Deadline } from "../../src/index.ts"
import type { TierPlan, Tree } from "./plan.ts"
import type { Refused, World } from "./world.ts"

type Failed = Refused | Deadline.DeadlineExceeded

const within =
  (bound: Deadline.Bound, millis: number) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | Deadline.DeadlineExceeded, R> =>
    millis === Number.POSITIVE_INFINITY
      ? effect
      : Effect.timeoutFail(Effect.disconnect(effect), {
          duration: Duration.millis(millis),
          onTimeout: () => new Deadline.DeadlineExceeded({ bound, limit: Duration.millis(millis) })
        })

const nextOf = (error: Failed, { maxRetryAfter, retryTimeouts }: TierPlan): string => {
  if (error._tag === "DeadlineExceeded")
    return error.bound === "attemptTimeout" && retryTimeouts ? "retry" : "nextTier"
  const { outcome } = error
  if (outcome._tag === "Success") return "nextTier"
  return outcome.next === "retry" && hintOf(error) > maxRetryAfter ? "nextTier" : outcome.next
}

const hintOf = (error: Failed): number =>
  error._tag === "Refused" && error.outcome._tag === "Failure" && error.outcome.retryAfter !== undefined
    ? Duration.toMillis(error.outcome.retryAfter)
    : 0

/** A tier the way one writes it without this package. */
const tierByHand = (world: World, tier: TierPlan, deadline: number): Effect.Effect<string, Failed> =>
  Effect.suspend(() => {
    const until = Math.min(deadline, world.now + tier.timeout)
    const waits = Backoff.schedule(tier.backoff).pipe(
      Schedule.intersect(Schedule.identity<Failed>()),
      Schedule.modifyDelay(([, error], wait) => Duration.max(wait, Duration.millis(hintOf(error)))),
      Schedule.whileInput((error: Failed) => nextOf(error, tier) === "retry"),
      Schedule.whileOutput(
        ([wait, error]) => world.now + Math.max(Duration.toMillis(wait), hintOf(error)) < until
      )
    )
    return Effect.scoped(world.attempt(tier)).pipe(
      within("attemptTimeout", tier.attemptTimeout),
      Effect.retry(waits),
      within("timeout", tier.timeout)
    )
  })

/**
 * A row of tiers, with a deadline and a cap on their number, of nothing but Effect's operators. Not of `orElse`,
 * which takes an interruption for a failure.
 */
export const composedByHand = (world: World): Effect.Effect<string, Failed> => {
  let { tree }: { tree: Tree } = world.plan
  let millis = Number.POSITIVE_INFINITY
  let { tiers } = world.plan
  while (tree._tag === "Within" || tree._tag === "AtMost") {
    if (tree._tag === "Within") millis = Math.min(millis, tree.millis)
    else tiers = tiers.slice(0, tree.tiers)
    tree = tree.tree
  }
  const [first, ...rest] = tiers.map((tier) => ({
    tier,
    effect: tierByHand(world, tier, world.now + millis)
  }))
  if (first === undefined) throw new RangeError("no tiers")
  return rest
    .reduce(
      (self, that) => ({
        tier: that.tier,
        effect: Effect.catchAllCause(self.effect, (cause) => {
          const error = Option.getOrUndefined(Cause.failureOption(cause))
          return error === undefined || nextOf(error, self.tier) === "abort"
            ? Effect.failCause(cause)
            : that.effect
        })
      }),
      first
    )
    .effect.pipe(within("deadline", millis))
}
