import { Duration, FastCheck } from "effect"
import { Backoff, Outcome } from "../../src/index.ts"

/** How the adversary behind a tier answers one call. Times are milliseconds, `Infinity` is never. */
export interface Act {
  readonly after: number
  readonly end: "ok" | "die" | "interrupt" | Outcome.Failure | Outcome.Ignored
  /** Does not let itself be interrupted. */
  readonly stubborn: boolean
  /** How long its finalizer takes. */
  readonly release: number
  /** How often it gives way to other fibers. */
  readonly turns: number
}

export interface TierPlan {
  readonly name: string
  readonly backoff: Backoff.Backoff
  readonly attemptTimeout: number
  readonly timeout: number
  readonly maxRetryAfter: number
  readonly retryTimeouts: boolean
  /** Which of the policy's breakers it has. */
  readonly breaker: number | undefined
  /** Its acts, one a call; after the last it begins again. */
  readonly script: ReadonlyArray<Act>
}

export interface BreakerPlan {
  readonly failures: number
  readonly openFor: number
}

/** How tiers are composed. */
export type Tree =
  | { readonly _tag: "Tier"; readonly tier: TierPlan }
  | { readonly _tag: "OrElse"; readonly left: Tree; readonly right: Tree }
  | { readonly _tag: "Within"; readonly tree: Tree; readonly millis: number }
  | { readonly _tag: "AtMost"; readonly tree: Tree; readonly tiers: number }

/** A policy and all that will happen to it. */
export interface Plan {
  readonly tiers: ReadonlyArray<TierPlan>
  readonly tree: Tree
  readonly breakers: ReadonlyArray<BreakerPlan>
  /** Seeds whatever is drawn during the run. */
  readonly seed: number
  /** Whether timers are fibers, as under `TestClock`, or the clock's own, as in production. */
  readonly fiberTimers: boolean
}

const { array, boolean, constant, constantFrom, integer, nat, oneof, record, tuple } = FastCheck

export const mostly = <A>(...choices: ReadonlyArray<readonly [number, FastCheck.Arbitrary<A>]>) =>
  oneof(...choices.map(([weight, arbitrary]) => ({ weight, arbitrary })))

const never = constant(Number.POSITIVE_INFINITY)

/** Finite so many times in ten. */
export const bound = (max: number, finite: number): FastCheck.Arbitrary<number> =>
  mostly([finite, integer({ min: 1, max })], [10 - finite, never])

const always = (options: Parameters<typeof Outcome.failure>[0]) => constant(Outcome.failure(options))

const hinted = (next: Outcome.Next) =>
  nat(8_000).map((millis) =>
    Outcome.failure({ next, errorType: "limited", retryAfter: Duration.millis(millis) })
  )

const ends = ({ ok = 5, trips = true }: Kind): FastCheck.Arbitrary<Act["end"]> =>
  mostly<Act["end"]>(
    [ok, constant("ok" as const)],
    [20, always({ errorType: "busy" })],
    [5, hinted("retry")],
    [1, hinted("nextTier")],
    [1, hinted("abort")],
    [3, always({ next: "nextTier", errorType: "credential" })],
    [1, always({ next: "nextTier", errorType: "billing", trip: trips })],
    [1, always({ next: "retry", errorType: "overloaded", trip: trips })],
    [1, always({ next: "abort", errorType: "fatal" })],
    [1, constant(Outcome.ignored({ next: "nextTier", errorType: "context_length" }))],
    [1, constant(Outcome.ignored({ errorType: "invalid_request" }))],
    [1, constant(Outcome.ignored({ next: "retry", errorType: "invalid_output" }))],
    [1, constant("die" as const)],
    [1, constant("interrupt" as const)]
  )

export const acts = (kind: Kind): FastCheck.Arbitrary<Act> =>
  record({
    after: mostly([2, constant(0)], [7, nat(5_000)], [1, never]),
    end: ends(kind),
    stubborn: mostly([9, constant(false)], [1, constant(true)]),
    release: mostly([5, constant(0)], [1, integer({ min: 1, max: 900 })]),
    turns: nat(2)
  })

export interface Kind {
  /** Default: none, so that every wait can be foretold. */
  readonly jitter?: boolean
  /** Default: none. */
  readonly breakers?: boolean
  /** Whether there are timeouts and deadlines. Default: true. */
  readonly bounds?: boolean
  /** Whether parts of the ladder have bounds of their own. Default: true. */
  readonly groups?: boolean
  /** Default: 1. */
  readonly minTiers?: number
  /** Default: 4. */
  readonly maxTiers?: number
  /** How many of about 45 calls succeed. Default: 5. */
  readonly ok?: number
  /** Whether failures may open a breaker at once. Default: true. */
  readonly trips?: boolean
}

const tier = (kind: Kind): FastCheck.Arbitrary<Omit<TierPlan, "name">> => {
  const within = (max: number, finite: number) => (kind.bounds === false ? never : bound(max, finite))
  return record({
    backoff: record({
      times: nat(4),
      base: nat(1_500),
      factor: integer({ min: 1, max: 3 }),
      max: nat(4_000),
      jitter: kind.jitter
        ? constantFrom("none" as const, "full" as const, "equal" as const, "decorrelated" as const)
        : constant("none" as const)
    }).map(Backoff.exponential),
    attemptTimeout: within(6_000, 6),
    timeout: within(15_000, 4),
    maxRetryAfter: nat(7_000),
    retryTimeouts: boolean(),
    breaker: kind.breakers ? mostly([1, constant(undefined)], [2, nat(2)]) : constant(undefined),
    script: array(acts(kind), { minLength: 1, maxLength: 6 })
  })
}

interface Bounds {
  readonly within: number
  readonly atMost: number
}

const unbounded: Bounds = { within: Number.POSITIVE_INFINITY, atMost: Number.POSITIVE_INFINITY }

export const bounded = (tree: Tree, { atMost, within }: Bounds): Tree => {
  const capped: Tree = atMost === Number.POSITIVE_INFINITY ? tree : { _tag: "AtMost", tree, tiers: atMost }
  return within === Number.POSITIVE_INFINITY ? capped : { _tag: "Within", tree: capped, millis: within }
}

/** Cuts a row of trees in two where the next number says, and so on, and bounds some of the parts. */
const compose = (parts: ReadonlyArray<Tree>, cuts: Iterator<number>, bounds: Iterator<Bounds>): Tree => {
  const at = 1 + ((cuts.next().value ?? 0) % Math.max(1, parts.length - 1))
  const [only] = parts
  const tree: Tree =
    parts.length === 1 && only !== undefined
      ? only
      : {
          _tag: "OrElse",
          left: compose(parts.slice(0, at), cuts, bounds),
          right: compose(parts.slice(at), cuts, bounds)
        }
  return bounded(tree, bounds.next().value ?? unbounded)
}

export const leaf = (tier: TierPlan): Tree => ({ _tag: "Tier", tier })

/** One of the ways to put parts into a row. */
export const grouped = (parts: ReadonlyArray<Tree>, cuts: ReadonlyArray<number>): Tree =>
  compose(parts, cuts.values(), [].values())

/** The policy without the bounds of the whole run. */
export const unbound = (tree: Tree): Tree =>
  tree._tag === "Within" || tree._tag === "AtMost" ? unbound(tree.tree) : tree

/** The same policy with other tiers in the place of its own. */
const mapTiers = (tree: Tree, f: (tier: TierPlan) => TierPlan): Tree => {
  switch (tree._tag) {
    case "Tier":
      return leaf(f(tree.tier))
    case "OrElse":
      return { ...tree, left: mapTiers(tree.left, f), right: mapTiers(tree.right, f) }
    default:
      return { ...tree, tree: mapTiers(tree.tree, f) }
  }
}

export const withTiers = (plan: Plan, f: (tier: TierPlan) => TierPlan): Plan => ({
  ...plan,
  tiers: plan.tiers.map(f),
  tree: mapTiers(plan.tree, f)
})

export const cuts = array(nat(9), { minLength: 3, maxLength: 3 })

export const plans = (kind: Kind = {}): FastCheck.Arbitrary<Plan> => {
  const deadline = kind.bounds === false ? never : bound(25_000, 4)
  const atMost = mostly([2, integer({ min: 1, max: 4 })], [8, never])
  return record({
    tiers: array(tier(kind), { minLength: kind.minTiers ?? 1, maxLength: kind.maxTiers ?? 4 }),
    cuts,
    /** The run's own bounds, and those of its parts. */
    run: record({ within: deadline, atMost }),
    parts:
      kind.groups === false
        ? constant([])
        : array(record({ within: kind.bounds === false ? never : bound(15_000, 2), atMost }), {
            maxLength: 6
          }),
    breakers: tuple(breaker, breaker, breaker),
    seed: nat(),
    fiberTimers: boolean()
  }).map(({ breakers, cuts, fiberTimers, parts, run, seed, tiers }) => {
    const named = tiers.map((tier, index) => ({ ...tier, name: `t${index}` }))
    const tree = bounded(compose(named.map(leaf), cuts.values(), parts.values()), run)
    return { tiers: named, tree, breakers, seed, fiberTimers }
  })
}

const breaker: FastCheck.Arbitrary<BreakerPlan> = record({
  failures: integer({ min: 1, max: 4 }),
  openFor: integer({ min: 1, max: 9_000 })
})
