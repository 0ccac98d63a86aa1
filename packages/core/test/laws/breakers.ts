import { assert } from "@effect/vitest"
import type { CircuitBreaker, Outcome } from "../../src/index.ts"

type Breaker = CircuitBreaker.CircuitBreaker
type Decide = Breaker["decide"]
type Reported = ReturnType<Breaker["report"]>

/** A breaker that decides and hears of its calls by another way, whoever asks and tells it. */
export const rerouted = (
  breaker: Breaker,
  ways: {
    readonly decide: (decide: Decide) => Decide
    readonly report?: (report: Reported, ...of: Parameters<Breaker["report"]>) => Reported
    readonly retract?: (retract: Reported, outcome: Outcome.Failure) => Reported
  }
): Breaker => {
  const { report: way = (report) => report, retract = (retract) => retract } = ways
  const decide = ways.decide(breaker.decide)
  const report: Breaker["report"] = (permit, outcome) => way(breaker.report(permit, outcome), permit, outcome)
  return {
    ...breaker,
    decide,
    decideIn: () => decide,
    report,
    reportIn: (_, permit, outcome) => report(permit, outcome),
    retractIn: (fiber, success, outcome) =>
      retract(breaker.retractIn(fiber, success, outcome, undefined), outcome)
  }
}

/** That what happened said nothing about any tier, and that probes have given their places back; says how many. */
export const assertUnmoved = (
  before: ReadonlyArray<CircuitBreaker.State | undefined>,
  after: ReadonlyArray<CircuitBreaker.State | undefined>
): number => {
  let halfOpen = 0
  for (const [index, is] of after.entries()) {
    const was = before[index]
    if (was?._tag !== "HalfOpen") assert.deepStrictEqual(is, was)
    else {
      const { epoch, failures, successes } = was
      assert.deepInclude(is, { _tag: "HalfOpen", epoch, failures, successes })
      halfOpen++
    }
    if (is?._tag === "HalfOpen") assert.lengthOf(is.probes, 0)
  }
  return halfOpen
}
