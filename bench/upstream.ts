import * as Effect from "effect/Effect"
import type { Behaviour, Group } from "./scenarios.ts"

/** The upstream of one tier. */
export interface Upstream {
  readonly call: () => number | Promise<number>
  readonly asEffect: Effect.Effect<number, Error>
  calls: number
}

// One error for all, so that nobody pays for a stack that the upstream captures.
const failure = new Error("503")

export const upstream = (behaviour: Behaviour, kind: Group["upstream"]): Upstream => {
  const fails = () => {
    self.calls++
    return behaviour === "fails" || (behaviour === "failsOnce" && self.calls % 2 === 1)
  }
  const async = async () => {
    if (fails()) throw failure
    return 42
  }
  const sync = () => {
    if (fails()) throw failure
    return 42
  }
  const self: Upstream = {
    calls: 0,
    call: kind === "async" ? async : sync,
    asEffect:
      kind === "async"
        ? Effect.tryPromise({ try: async, catch: () => failure })
        : Effect.suspend(() => (fails() ? Effect.fail(failure) : Effect.succeed(42)))
  }
  return self
}
