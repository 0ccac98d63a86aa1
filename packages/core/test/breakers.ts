import { Effect, TestClock } from "effect"
import { CircuitBreaker } from "../src/index.ts"

const { execute } = CircuitBreaker

export const down = Effect.fail("down")

export const options = {
  key: "k",
  trip: CircuitBreaker.consecutive(1),
  openFor: "10 seconds",
  jitter: 0
} as const

/** A breaker that has just opened for ten seconds. */
export const opened = (more: CircuitBreaker.Options = {}) =>
  Effect.tap(CircuitBreaker.make({ ...options, ...more }), (breaker) => Effect.ignore(execute(down, breaker)))

/** A breaker whose time is over: the next call is its probe. */
export const due = (more: CircuitBreaker.Options = {}) =>
  Effect.tap(opened(more), () => TestClock.adjust("10 seconds"))

export const tagOf = (breaker: CircuitBreaker.CircuitBreaker) => Effect.map(breaker.state, ({ _tag }) => _tag)

/** A call under way. */
export const begun = (breaker: CircuitBreaker.CircuitBreaker) =>
  Effect.map(breaker.admit, ({ permit }) => permit)
