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

export interface Contender {
  readonly name: string
  readonly what: string
  /** Its module in `contenders`. */
  readonly file: string
  /** A native span per run, tier and attempt; else the tracer is disabled. */
  readonly spans: boolean
  /** The scenarios it cannot meet. */
  readonly lacks: ReadonlyArray<string>
}

const contender = (
  name: string,
  what: string,
  options?: { readonly file?: string; readonly spans?: boolean; readonly lacks?: ReadonlyArray<string> }
): Contender => ({ name, what, file: name, spans: false, lacks: [], ...options })

export const contenders: ReadonlyArray<Contender> = [
  contender("js", "plain JS by hand: try/catch loop, setTimeout/clearTimeout, breaker object (the floor)"),
  contender("bare", "the upstream alone as an Effect, no policy: what an Effect costs at least", {
    lacks: ["retry", "second", "open"]
  }),
  contender(
    "floor",
    "that in a fiber and a scope of its own beside a timer, no policy: a hard bound of Effect's own operators",
    {
      lacks: ["retry", "second", "open"]
    }
  ),
  contender("ours", "@understudy/core, from source"),
  contender("base", "@understudy/core at the commit given by --against"),
  contender("hand", "Effect timeout + Ref breaker + retry(Schedule) + catchAll"),
  contender("plan", "ExecutionPlan: retry and fallback only, no timeout, no breaker", { lacks: ["open"] }),
  contender("plan-timeout", "ExecutionPlan with Effect.timeout inside, no breaker", { lacks: ["open"] }),
  contender("cockatiel", "cockatiel 4.0.0: fallback, retry, breaker, timeout"),
  contender("cockatiel3", "cockatiel 3.2.1, the same"),
  contender("opossum", "opossum 9.0.0: breaker, timeout, fallback; it has no retry", { lacks: ["retry"] }),
  contender("ours-spans", "ours with native spans: run, tier, attempt", { file: "ours", spans: true }),
  contender("base-spans", "base with native spans", { file: "base", spans: true }),
  contender("hand-spans", "hand with native spans: run, tier, attempt", { file: "hand", spans: true }),
  contender("plan-spans", "plan-timeout with native spans: run, attempt", {
    file: "plan-timeout",
    spans: true,
    lacks: ["open"]
  })
]

/** What is measured side by side: all its processes live at once and take turns, sample by sample. */
export interface Group {
  readonly name: string
  readonly title: string
  readonly contenders: ReadonlyArray<string>
  readonly scenarios: ReadonlyArray<string>
  /** An async function that resolves or rejects at once, or a function that returns or throws. */
  readonly upstream: "async" | "sync"
  /** Also in a loop inside one running fiber, for those that are Effects. */
  readonly inFiber: boolean
}

const all = [
  "js",
  "bare",
  "floor",
  "ours",
  "base",
  "hand",
  "plan",
  "plan-timeout",
  "cockatiel",
  "cockatiel3",
  "opossum"
]

export const groups: ReadonlyArray<Group> = [
  {
    name: "main",
    title: "async upstream, no spans",
    contenders: all,
    scenarios: ["first", "retry", "second", "open"],
    upstream: "async",
    inFiber: true
  },
  {
    name: "spans",
    title: "async upstream, with and without native spans",
    contenders: [
      "ours",
      "ours-spans",
      "base",
      "base-spans",
      "hand",
      "hand-spans",
      "plan-timeout",
      "plan-spans"
    ],
    scenarios: ["first", "second"],
    upstream: "async",
    inFiber: false
  },
  {
    name: "sync",
    title: "sync upstream, no spans",
    contenders: all,
    scenarios: ["first", "second", "open"],
    upstream: "sync",
    inFiber: true
  },
  {
    name: "ladders",
    title: "1 to 16 tiers, async upstream, no spans",
    contenders: ["js", "ours", "base", "hand", "plan-timeout", "cockatiel", "opossum"],
    scenarios: [...ladders.map((n) => `last-${n}`), ...ladders.map((n) => `first-${n}`)],
    upstream: "async",
    inFiber: false
  }
]
