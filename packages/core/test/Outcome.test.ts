import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Exit, FiberId } from "effect"
import { Deadline, Outcome } from "../src/index.ts"

describe("Outcome", () => {
  it("fills in what is documented, and takes what is given", () => {
    const failure = { next: "retry", errorType: "failure", retryAfter: undefined, trip: false } as const
    assert.deepStrictEqual(Outcome.failure(), { _tag: "Failure", ...failure })
    const given = { next: "abort", errorType: "busy", retryAfter: Duration.seconds(1), trip: true } as const
    assert.deepStrictEqual(Outcome.failure(given), { _tag: "Failure", ...given })
    assert.deepStrictEqual(Outcome.ignored(), { _tag: "Ignored", next: "abort", errorType: "ignored" })
    const ignored = { next: "nextTier", errorType: "context_length" } as const
    assert.deepStrictEqual(Outcome.ignored(ignored), { _tag: "Ignored", ...ignored })
  })

  it("an error is named by its tag, where that is a name", () => {
    const failure = (errorType: string) => Outcome.failure({ errorType })
    assert.deepStrictEqual(Outcome.classifyError({ _tag: "Busy" }), failure("Busy"))
    for (const error of [{ _tag: 1 }, {}, null, undefined, "Busy", 7]) {
      assert.deepStrictEqual(Outcome.classifyError(error), failure("failure"))
    }
  })

  describe("fromExit", () => {
    const interruption = Cause.interrupt(FiberId.none)
    const judged = Outcome.failure({ errorType: "judged" })
    const outcome = (
      exit: Exit.Exit<string, string | Deadline.DeadlineExceeded>,
      options?: { readonly retryTimeouts: boolean }
    ) => Outcome.fromExit(exit, (error) => (error === "busy" ? judged : Outcome.failure()), options)

    it("an answer is a success", () =>
      assert.deepStrictEqual(outcome(Exit.succeed("hello")), { _tag: "Success" }))

    it("a typed failure is the classifier's to judge, also where an interruption or a defect came with it", () => {
      assert.strictEqual(outcome(Exit.fail("busy")), judged)
      for (const other of [interruption, Cause.die("bug")]) {
        assert.strictEqual(outcome(Exit.failCause(Cause.parallel(other, Cause.fail("busy")))), judged)
      }
    })

    it("interruption alone is ignored, a defect aborts, also where an interruption came with it", () => {
      const defect = Outcome.failure({ next: "abort", errorType: "defect" })
      assert.deepStrictEqual(
        outcome(Exit.failCause(interruption)),
        Outcome.ignored({ errorType: "interrupted" })
      )
      assert.deepStrictEqual(outcome(Exit.die("bug")), defect)
      assert.deepStrictEqual(
        outcome(Exit.failCause(Cause.sequential(Cause.die("bug"), interruption))),
        defect
      )
    })

    it("a timeout is a failure where the attempt had its own time, and tried again only where that is wanted", () => {
      const exceeded = (bound: Deadline.Bound, retryTimeouts = false) => {
        const error = new Deadline.DeadlineExceeded({ bound, limit: Duration.seconds(1) })
        return outcome(Exit.fail(error), { retryTimeouts })
      }
      for (const bound of ["attemptTimeout", "firstToken", "idle", "maxStream"] as const) {
        const timeout = (next: Outcome.Next) => Outcome.failure({ next, errorType: "timeout" })
        assert.deepStrictEqual(
          [exceeded(bound), exceeded(bound, true)],
          [timeout("nextTier"), timeout("retry")]
        )
      }
      assert.deepStrictEqual(
        exceeded("timeout", true),
        Outcome.ignored({ next: "nextTier", errorType: "timeout" })
      )
      assert.deepStrictEqual(
        exceeded("deadline", true),
        Outcome.ignored({ next: "abort", errorType: "deadline" })
      )
      const limit = Duration.seconds(1)
      const slow = new Deadline.DeadlineExceeded({ bound: "maxStream", limit, unread: limit })
      assert.deepInclude(
        Outcome.fromExit(Exit.fail(slow), () => judged),
        { errorType: "slow_caller" }
      )
      const alone = new Deadline.DeadlineExceeded({ bound: "idle", limit })
      assert.deepStrictEqual(
        outcome(Exit.fail(alone)),
        Outcome.failure({ next: "nextTier", errorType: "timeout" })
      )
    })
  })
})
