/**
 * Limits the share of calls to a provider that may be retries, so that retries do not become the outage.
 *
 * A budget is a token bucket. A retry or a hedge takes one token, a success returns a tenth, and a few are refilled
 * over time, since a caller with little traffic would otherwise never earn its next retry. First attempts are free,
 * also on later tiers: an empty budget sends a run to its next tier and does not fail it.
 *
 * The bucket is a pure function, {@link step}; a budget is that function behind one `Ref.modify`. Tiers that are given
 * the same budget draw from the same bucket.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import * as Deadline from "./Deadline.ts"

/**
 * The size of a bucket, and how it is refilled.
 *
 * @since 0.1.0
 * @category models
 */
export interface Config {
  /** The capacity of the bucket, which starts full. */
  readonly max: number
  /** The tokens that a success returns: `0.1` allows one call in ten to be a retry. */
  readonly perSuccess: number
  /** The tokens refilled every second, regardless of traffic. */
  readonly minPerSecond: number
}

/**
 * The state of a bucket. Tokens are counted in thousandths, so that ten deposits of a tenth make exactly one, and times
 * in milliseconds of `Deadline.now`.
 *
 * @since 0.1.0
 * @category models
 */
export interface State {
  readonly thousandths: number
  /** The instant up to which the refill has been credited. */
  readonly paidUntil: number
}

/**
 * What can happen to a bucket.
 *
 * @since 0.1.0
 * @category models
 */
export type Event =
  | { readonly _tag: "Withdraw"; readonly now: number }
  | { readonly _tag: "Deposit" }
  | { readonly _tag: "Refund" }

/**
 * A full bucket.
 *
 * @example
 * import { RetryBudget } from "@understudy/core"
 *
 * console.log(RetryBudget.initial(RetryBudget.config())) // => { thousandths: 10000, paidUntil: 0 }
 *
 * @since 0.1.0
 * @category constructors
 */
export const initial = (config: Config): State => ({ thousandths: config.max * 1_000, paidUntil: 0 })

/**
 * The bucket's whole behaviour: a total function of its state and one event, which returns whether a token was granted.
 *
 * **Details**
 * - A withdrawal takes a whole token or nothing.
 * - The bucket never holds more than `max`.
 *
 * @example
 * import { RetryBudget } from "@understudy/core"
 *
 * const config = RetryBudget.config({ max: 1, minPerSecond: 1 })
 * const [first, empty] = RetryBudget.step(config, RetryBudget.initial(config), { _tag: "Withdraw", now: 0 })
 * const [second] = RetryBudget.step(config, empty, { _tag: "Withdraw", now: 999 })
 * const [third] = RetryBudget.step(config, empty, { _tag: "Withdraw", now: 1_000 })
 *
 * console.log(first, second, third) // => true false true
 *
 * @since 0.1.0
 * @category decisions
 */
export const step = (config: Config, state: State, event: Event): readonly [granted: boolean, State] => {
  switch (event._tag) {
    case "Withdraw": {
      const paid = refill(config, state, event.now)
      return paid.thousandths >= token ? [true, add(config, paid, -token)] : [false, paid]
    }
    // Neither needs the time: the refill is the same in any order.
    case "Deposit":
      return [false, add(config, state, config.perSuccess * token)]
    case "Refund":
      return [false, add(config, state, token)]
  }
}

const token = 1_000

const refill = (config: Config, state: State, now: number): State => {
  // Fibers read the clock before they reach the bucket, so events may arrive out of order.
  const paidUntil = Math.max(state.paidUntil, now)
  const earned = (paidUntil - state.paidUntil) * config.minPerSecond
  return add(config, { thousandths: state.thousandths, paidUntil }, earned)
}

const add = (config: Config, { paidUntil, thousandths }: State, more: number): State => ({
  thousandths: Math.min(config.max * token, thousandths + more),
  paidUntil
})

/**
 * A budget that can be shared by any number of tiers and runs. A defect of it ends the run.
 *
 * @since 0.1.0
 * @category models
 */
export interface RetryBudget {
  readonly config: Config
  /** Takes a token for a retry or a hedge; `false` if there is none, and then it must not be made. */
  readonly withdraw: Effect.Effect<boolean>
  /** A call has succeeded. */
  readonly deposit: Effect.Effect<void>
  /** Returns a token that was taken for an attempt that never started. */
  readonly refund: Effect.Effect<void>
  /** The tokens there are now. */
  readonly balance: Effect.Effect<number>
}

/**
 * A {@link Config} with all fields optional.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends Partial<{ readonly [Key in keyof Config]: Config[Key] | undefined }> {}

/**
 * Fills in the defaults: `max: 10`, `perSuccess: 0.1`, `minPerSecond: 1`. Throws a `RangeError` that names the
 * option when one is out of range.
 *
 * @example
 * import { RetryBudget } from "@understudy/core"
 *
 * console.log(RetryBudget.config({ max: 3 })) // => { max: 3, perSuccess: 0.1, minPerSecond: 1 }
 *
 * @since 0.1.0
 * @category constructors
 */
export const config = (options?: Options): Config => {
  const { max = 10, perSuccess = 0.1, minPerSecond = 1 } = options ?? {}
  for (const [option, value, least] of [
    ["max", max, 1],
    ["perSuccess", perSuccess, 0],
    ["minPerSecond", minPerSecond, 0]
  ] as const) {
    if (!(value >= least && Number.isFinite(value))) {
      throw new RangeError(`RetryBudget: ${option} must be a finite number of ${least} or more, got ${value}`)
    }
  }
  return { max, perSuccess, minPerSecond }
}

/**
 * Makes a full budget. The options are those of {@link config}.
 *
 * @example
 * import { Effect } from "effect"
 * import { RetryBudget } from "@understudy/core"
 *
 * const program = Effect.gen(function* () {
 *   const budget = yield* RetryBudget.make({ max: 1, minPerSecond: 0 })
 *   const granted = [yield* budget.withdraw, yield* budget.withdraw]
 *   for (let success = 0; success < 10; success++) yield* budget.deposit
 *   return [...granted, yield* budget.withdraw]
 * })
 *
 * console.log(Effect.runSync(program)) // => [ true, false, true ]
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options?: Options): Effect.Effect<RetryBudget> => {
  const settings = config(options)
  return Effect.sync(() => unsafeMake(settings))
}

/**
 * Makes one budget per key, all with the same options, so that tiers of one provider can share a budget.
 *
 * @example
 * import { Effect } from "effect"
 * import { RetryBudget } from "@understudy/core"
 *
 * const budgetOf = Effect.runSync(RetryBudget.keyed({ max: 3 }))
 *
 * console.log(budgetOf("openai") === budgetOf("openai"), budgetOf("openai") === budgetOf("azure")) // => true false
 *
 * @since 0.1.0
 * @category constructors
 */
export const keyed = (options?: Options): Effect.Effect<(key: string) => RetryBudget> => {
  const settings = config(options)
  return Effect.sync(() => {
    const budgets = new Map<string, RetryBudget>()
    return (key) => {
      const known = budgets.get(key)
      if (known !== undefined) return known
      const budget = unsafeMake(settings)
      budgets.set(key, budget)
      return budget
    }
  })
}

const unsafeMake = (config: Config): RetryBudget => {
  const ref = Ref.unsafeMake(initial(config))
  const apply = (event: Event) => Ref.modify(ref, (state) => step(config, state, event))
  return {
    config,
    withdraw: Effect.flatMap(Deadline.now, (now) => apply({ _tag: "Withdraw", now })),
    deposit: Effect.asVoid(apply({ _tag: "Deposit" })),
    refund: Effect.asVoid(apply({ _tag: "Refund" })),
    balance: Effect.zipWith(
      Deadline.now,
      Ref.get(ref),
      (now, state) => refill(config, state, now).thousandths / token
    )
  }
}
