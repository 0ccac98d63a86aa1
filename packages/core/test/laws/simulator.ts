import { Duration } from "effect"
import type { Act, BreakerPlan, Plan, TierPlan, Tree } from "./plan.ts"

/** One attempt, as the run records it. */
export interface Entry {
  readonly tier: string
  readonly number: number
  readonly start: number
  readonly end: number
  readonly outcome: string
  readonly errorType: string | undefined
  readonly bound: string | undefined
  readonly next: string | undefined
  readonly waited: number
}

/** How a run ended for its caller. */
export type Ending =
  | { readonly ok: string }
  | { readonly own: string }
  | {
      readonly all: string
      readonly attempts: number
      readonly refused: ReadonlyArray<string>
      readonly retryAfter: number | undefined
    }
  | "died"
  | "interrupted"
  | "never"

export interface Prediction {
  readonly log: ReadonlyArray<Entry>
  readonly ending: Ending
  readonly endedAt: number
  /** Two things happen at the same instant, and which of them is first is nobody's promise. */
  readonly tie: boolean
  /** Two bounds end an attempt at the same instant. */
  readonly boundTie: boolean
}

/** A breaker that counts a row of failures and is probed by one call. */
export class BreakerModel {
  private state: { row: number } | { until: number } | { probing: boolean } = { row: 0 }
  private epoch = 0
  private readonly plan: BreakerPlan

  constructor(plan: BreakerPlan) {
    this.plan = plan
  }

  private become(state: BreakerModel["state"]): void {
    this.state = state
    this.epoch++
  }

  opensAgain(): number {
    return "until" in this.state ? this.state.until : 0
  }

  admit(at: number): { readonly epoch: number } | { readonly retryAfter: number } {
    if ("until" in this.state) {
      // Clocks count nanoseconds, and sums of doubles miss an instant by less.
      if (this.state.until - at > 1e-6) return { retryAfter: this.state.until - at }
      this.become({ probing: false })
    }
    if ("probing" in this.state) {
      if (this.state.probing) return { retryAfter: 0 }
      this.state.probing = true
    }
    return { epoch: this.epoch }
  }

  report(epoch: number, at: number, verdict: string, trip = false, retryAfter = 0): void {
    if (epoch !== this.epoch) return
    if (verdict === "ignored") {
      if ("probing" in this.state) this.state.probing = false
    } else if (verdict === "success") {
      if ("probing" in this.state) this.become({ row: 0 })
      else this.state = { row: 0 }
    } else {
      const row = "row" in this.state ? this.state.row + 1 : Number.POSITIVE_INFINITY
      if (trip || row >= this.plan.failures) {
        this.become({ until: at + Math.max(this.plan.openFor, retryAfter) })
      } else this.state = { row }
    }
  }
}

/** What lasts from one run to the next. */
export const memory = ({ breakers }: Plan) => ({
  called: new Map<string, number>(),
  breakers: breakers.map((plan) => new BreakerModel(plan))
})

interface Verdict {
  readonly kind: "success" | "failure" | "ignored"
  readonly outcome: string
  readonly errorType?: string
  readonly bound?: string
  readonly next: "retry" | "nextTier" | "abort"
  readonly hint?: number | undefined
  readonly trip?: boolean
  readonly ending: Ending
}

/** The classification of outcomes, over again. */
const judge = (act: Act, tier: TierPlan, call: string): Verdict => {
  const { end } = act
  if (end === "ok") return { kind: "success", outcome: "success", next: "abort", ending: { ok: call } }
  if (end === "die")
    return { kind: "failure", outcome: "failure", errorType: "defect", next: "abort", ending: "died" }
  if (end === "interrupt") {
    const interrupted = "interrupted"
    return {
      kind: "ignored",
      outcome: interrupted,
      errorType: interrupted,
      next: "abort",
      ending: interrupted
    }
  }
  const { errorType, next } = end
  const ending = { own: call }
  if (end._tag === "Ignored") return { kind: "ignored", outcome: "ignored", errorType, next, ending }
  const hint = end.retryAfter && Duration.toMillis(end.retryAfter)
  const tooLong = hint !== undefined && hint > tier.maxRetryAfter
  return {
    kind: "failure",
    outcome: "failure",
    errorType,
    next: tooLong && next === "retry" ? "nextTier" : next,
    hint,
    trip: tooLong || end.trip,
    ending
  }
}

const cutBy = (bound: string, tier: TierPlan): Verdict => {
  const cut = { outcome: "timeout", bound, ending: "never" as const }
  if (bound === "deadline") return { ...cut, kind: "ignored", errorType: "deadline", next: "abort" }
  if (bound === "timeout") return { ...cut, kind: "ignored", errorType: "timeout", next: "nextTier" }
  return { ...cut, kind: "failure", errorType: "timeout", next: tier.retryTimeouts ? "retry" : "nextTier" }
}

/** The names of the calls, in the order of a tier's script. */
export const callName = (tier: string, call: number): string => `${tier}#${call}`

/**
 * What a run must do, told by a plain function: a fold over the tree of tiers with a clock that is a number. It
 * shares no code and no idea with the engine, which has no tree and no fold.
 */
export const predict = (
  plan: Plan,
  startedAt: number,
  { breakers, called }: ReturnType<typeof memory>
): Prediction => {
  const log: Array<Entry> = []
  const refused: Array<{ readonly tier: string; readonly retryAfter: number }> = []
  const hints: Array<number> = []
  let tie = false
  let boundTie = false

  interface Group {
    readonly until: number
    left: number
  }
  interface Step {
    readonly at: number
    readonly ending?: Ending
  }

  const failed = (all: string): Ending => ({
    all,
    attempts: log.length,
    refused: refused.map(({ tier }) => tier),
    retryAfter: [...hints, ...refused.map(({ retryAfter }) => retryAfter)].reduce<number | undefined>(
      (least, hint) => Math.min(least ?? hint, hint),
      undefined
    )
  })

  const ask = (tier: TierPlan, start: number, groups: ReadonlyArray<Group>, run: Group): Step => {
    const breaker = tier.breaker === undefined ? undefined : breakers[tier.breaker]
    const tierEnds = Math.min(start + tier.timeout, ...groups.map(({ until }) => until))
    let at = start
    let waited = 0
    for (let number = 1; ; number++) {
      const admitted = breaker?.admit(at) ?? { epoch: 0 }
      if ("retryAfter" in admitted) {
        refused.push({ tier: tier.name, retryAfter: admitted.retryAfter })
        if (number > 1) for (const group of [...groups, run]) group.left--
        return { at }
      }
      const call = called.get(tier.name) ?? 0
      called.set(tier.name, call + 1)
      const act = tier.script[call % tier.script.length] as Act

      const bounds = [
        { bound: "attemptTimeout", until: at + tier.attemptTimeout },
        { bound: "timeout", until: tierEnds },
        { bound: "deadline", until: run.until }
      ]
      const until = Math.min(...bounds.map(({ until }) => until))
      const naturally = at + act.after + act.release
      const end = Math.min(naturally, until)
      if (end === Number.POSITIVE_INFINITY) return { at: end, ending: "never" }
      // Also where it is over but for its finalizer: it may still be told to stop.
      if (naturally === until || at + act.after === until) tie = true
      if (bounds.filter((bound) => bound.until === end).length > 1) boundTie = true
      const verdict =
        naturally < until
          ? judge(act, tier, callName(tier.name, call))
          : cutBy(bounds.find((bound) => bound.until === until)?.bound ?? "", tier)

      breaker?.report(admitted.epoch, end, verdict.kind, verdict.trip, verdict.hint)
      if (verdict.hint !== undefined) hints.push(verdict.hint)

      const { base, factor, max, times } = tier.backoff
      const backoff = Math.min(Duration.toMillis(max), Duration.toMillis(base) * factor ** (number - 1))
      const wait = Math.max(backoff, verdict.hint ?? 0)
      const resumeAt = end + wait
      const again =
        verdict.next === "retry" &&
        number <= times &&
        resumeAt < Math.min(tierEnds, run.until) &&
        (breaker?.opensAgain() ?? 0) <= resumeAt
      const next = verdict.next === "retry" && !again ? "nextTier" : verdict.next
      log.push({
        tier: tier.name,
        number,
        start: at,
        end,
        outcome: verdict.outcome,
        errorType: verdict.errorType,
        bound: verdict.bound,
        next: verdict.kind === "success" ? undefined : next,
        waited
      })
      if (next === "abort") {
        return { at: end, ending: verdict.bound === "deadline" ? failed("deadline") : verdict.ending }
      }
      if (next === "nextTier") {
        for (const group of [...groups, run]) group.left--
        const alone = plan.tiers.length === 1 && times === 0 && verdict.bound === undefined
        return alone ? { at: end, ending: verdict.ending } : { at: end }
      }
      at = resumeAt
      waited = wait
    }
  }

  const climb = (tree: Tree, at: number, groups: ReadonlyArray<Group>, run: Group): Step => {
    switch (tree._tag) {
      case "OrElse": {
        const left = climb(tree.left, at, groups, run)
        return left.ending === undefined ? climb(tree.right, left.at, groups, run) : left
      }
      case "Within":
        return climb(
          tree.tree,
          at,
          [...groups, { until: at + tree.millis, left: Number.POSITIVE_INFINITY }],
          run
        )
      case "AtMost":
        return climb(tree.tree, at, [...groups, { until: Number.POSITIVE_INFINITY, left: tree.tiers }], run)
      case "Tier":
        if (run.left <= 0) return { at, ending: failed("failed") }
        if (at >= run.until) return { at, ending: failed("deadline") }
        return groups.some(({ left, until }) => left <= 0 || until <= at)
          ? { at }
          : ask(tree.tier, at, groups, run)
    }
  }

  /** The outermost bounds are the run's own; those further in are a group's. */
  const run: Group = { until: Number.POSITIVE_INFINITY, left: Number.POSITIVE_INFINITY }
  let { tree } = plan
  let until = Number.POSITIVE_INFINITY
  while (tree._tag === "Within" || tree._tag === "AtMost") {
    if (tree._tag === "Within") until = Math.min(until, startedAt + tree.millis)
    else run.left = Math.min(run.left, tree.tiers)
    tree = tree.tree
  }
  const { at, ending } = climb(tree, startedAt, [], { ...run, until })
  const unasked = refused.length === 0 ? "deadline" : "open"
  return { log, ending: ending ?? failed(log.length === 0 ? unasked : "failed"), endedAt: at, tie, boundTie }
}
