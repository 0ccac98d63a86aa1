import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as ExecutionPlan from "effect/ExecutionPlan"
import { ofEffect, spanned } from "../contender.ts"
import { attemptTimeout } from "../scenarios.ts"

class Ask extends Context.Tag("bench/Ask")<Ask, Effect.Effect<number, Error>>() {}

export const plan = (timeout: boolean) =>
  ofEffect(({ retries }, upstreams, spans) => {
    const span = spanned(spans)
    const ask = Effect.flatMap(Ask, (call) => call)
    const attempt = span(timeout ? Effect.timeout(ask, attemptTimeout) : ask, "attempt")
    // A Context, not a Layer: a Layer would be built anew for every attempt.
    const [first, ...rest] = upstreams.map((upstream) => ({
      provide: Context.make(Ask, upstream.asEffect),
      ...(retries > 0 ? { attempts: retries + 1 } : {})
    }))
    const policy = Effect.withExecutionPlan(attempt, ExecutionPlan.make(first!, ...rest))
    return Effect.succeed(span(policy, "fallback"))
  })

export default plan(false)
