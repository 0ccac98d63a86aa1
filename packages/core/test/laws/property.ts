import { it } from "@effect/vitest"
import { FastCheck } from "effect"
import { chai } from "vitest"
import { parameters, runs } from "../law.ts"

// A counterexample is of little use where the difference is cut short.
chai.config.truncateThreshold = 0

/** The stack of an error that an adversary failed with costs more than the attempt. */
const withoutStacks = async <A>(run: () => Promise<A>): Promise<A> => {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  try {
    return await run()
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}

/**
 * A law of runs in virtual time. One that fails is replayed by
 * `LAW_SEED=… LAW_PATH=… npx vitest run packages/core/test/laws -t "L21"`.
 */
export const law = <A>(
  name: string,
  cases: FastCheck.Arbitrary<A>,
  holds: (one: A) => Promise<void>,
  /** What is to be said of all cases together. */
  afterwards: () => void = () => {}
): void => {
  it(name, { timeout: 30_000 + runs * 100 }, async () => {
    const details = await withoutStacks(() =>
      FastCheck.check(FastCheck.asyncProperty(cases, holds), parameters)
    )
    const report = await FastCheck.asyncDefaultReportMessage(details)
    if (report !== undefined) throw new Error(report)
    if (parameters.path === undefined) afterwards()
  })
}
