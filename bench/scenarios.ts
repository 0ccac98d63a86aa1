/** What is measured: the contenders, the scenarios, and which contender meets which scenario in which variant. */

/** What the upstream of a tier does: settle at once, one way or the other. `failsOnce` fails at every other call. */
export type Behaviour = "answers" | "fails" | "failsOnce"

/** The policy is the same for all: see `attemptTimeout`, and a breaker per tier that opens for an hour. */
export interface Scenario {
  readonly name: string
  readonly title: string
  readonly tiers: ReadonlyArray<Behaviour>
  /** Tries after the first, with zero backoff. */
  readonly retries: number
  /** Consecutive failures that open a breaker; out of reach where a tier fails in every run and is to be asked. */
  readonly failures: number
  /** How often each tier's upstream is called in a run. Checked before anything is measured. */
  readonly calls: ReadonlyArray<number>
}

export const attemptTimeout = 30_000
export const openFor = 3_600_000
const never = 1e9

const lastOf = (tiers: number): Scenario => ({
  name: `last-${tiers}`,
  title: `${tiers} tiers, the last answers (no retry)`,
  tiers: Array.from({ length: tiers }, (_, i) => (i === tiers - 1 ? "answers" : "fails")),
  retries: 0,
  failures: never,
  calls: Array.from({ length: tiers }, () => 1)
})

const firstOf = (tiers: number): Scenario => ({
  name: `first-${tiers}`,
  title: `${tiers} tiers, the first answers (no retry)`,
  tiers: Array.from({ length: tiers }, () => "answers" as const),
  retries: 0,
  failures: 5,
  calls: Array.from({ length: tiers }, (_, i) => (i === 0 ? 1 : 0))
})

export const ladders = [1, 2, 4, 8, 16]

export const scenarios: ReadonlyArray<Scenario> = [
  {
    name: "first",
    title: "first tier succeeds",
    tiers: ["answers", "answers"],
    retries: 1,
    failures: 5,
    calls: [1, 0]
  },
  {
    name: "retry",
    title: "first tier fails once, its retry succeeds",
    tiers: ["failsOnce", "answers"],
    retries: 1,
    failures: 5,
    calls: [2, 0]
  },
  {
    name: "second",
    title: "first tier fails, second tier answers (no retry)",
    tiers: ["fails", "answers"],
    retries: 0,
    failures: never,
    calls: [1, 1]
  },
  {
    name: "open",
    title: "first tier's breaker is open, second tier answers (no retry)",
    tiers: ["fails", "answers"],
    retries: 0,
    failures: 5,
    calls: [0, 1]
  },
  ...ladders.map(lastOf),
  ...ladders.map(firstOf)
]

export const contenders = [
  {
    name: "js",
    what: "plain JS by hand: try/catch loop, setTimeout/clearTimeout, breaker object (the floor)"
  },
  { name: "bare", what: "the upstream alone as an Effect, no policy: what an Effect costs here at least" },
  { name: "ours", what: "@understudy/core, from source" },
  { name: "base", what: "@understudy/core at the commit given by --against" },
  { name: "hand", what: "Effect timeout + Ref breaker + retry(Schedule) + catchAll" },
  { name: "plan", what: "ExecutionPlan: retry and fallback only, no timeout, no breaker" },
  { name: "plan-timeout", what: "ExecutionPlan with Effect.timeout inside, no breaker" },
  { name: "cockatiel", what: "cockatiel 4.0.0: fallback, retry, breaker, timeout" },
  { name: "cockatiel3", what: "cockatiel 3.2.1, the same" },
  { name: "opossum", what: "opossum 9.0.0: breaker, timeout, fallback; it has no retry" }
] as const

export type ContenderName = (typeof contenders)[number]["name"]

export interface Variant {
  /** An async function that resolves or rejects at once, or a function that returns or throws. */
  readonly upstream: "async" | "sync"
  /** A native span per run, tier and attempt; else the tracer is disabled. */
  readonly spans: boolean
}

/** What one process measures: one contender, some scenarios, one variant. */
export interface Group extends Variant {
  readonly name: string
  readonly title: string
  readonly contenders: ReadonlyArray<ContenderName>
  readonly scenarios: ReadonlyArray<string>
  /** Also in a loop inside one running fiber, for those that are Effects. */
  readonly inFiber: boolean
}

const all = contenders.map(({ name }) => name)

export const groups: ReadonlyArray<Group> = [
  {
    name: "main",
    title: "async upstream, no spans",
    contenders: all,
    scenarios: ["first", "retry", "second", "open"],
    upstream: "async",
    spans: false,
    inFiber: true
  },
  {
    name: "spans",
    title: "async upstream, native spans",
    contenders: ["ours", "base", "hand", "plan-timeout"],
    scenarios: ["first", "second"],
    upstream: "async",
    spans: true,
    inFiber: false
  },
  {
    name: "sync",
    title: "sync upstream, no spans",
    contenders: all,
    scenarios: ["first", "second", "open"],
    upstream: "sync",
    spans: false,
    inFiber: true
  },
  {
    name: "ladders",
    title: "1 to 16 tiers, async upstream, no spans",
    contenders: ["js", "ours", "base", "hand", "plan-timeout", "cockatiel", "opossum"],
    scenarios: [...ladders.map((n) => `last-${n}`), ...ladders.map((n) => `first-${n}`)],
    upstream: "async",
    spans: false,
    inFiber: false
  }
]

/** What a contender cannot do. */
export const lacks: Partial<Record<ContenderName, ReadonlyArray<string>>> = {
  bare: ["retry", "second", "open"],
  plan: ["open"],
  "plan-timeout": ["open"],
  opossum: ["retry"]
}
