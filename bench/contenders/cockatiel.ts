import * as cockatiel4 from "cockatiel"
import { ofPromise } from "../contender.ts"
import { attemptTimeout, openFor } from "../scenarios.ts"

/** Version 3 has the same functions. */
export const cockatiel = (lib: typeof cockatiel4) =>
  ofPromise(
    ({ failures, retries }, upstreams) =>
      upstreams.reduceRight<(() => Promise<number>) | undefined>((next, upstream) => {
        const timeout = lib.timeout(attemptTimeout, lib.TimeoutStrategy.Aggressive)
        const breaker = lib.circuitBreaker(lib.handleAll, {
          halfOpenAfter: openFor,
          breaker: new lib.ConsecutiveBreaker(failures)
        })
        const retry = lib.retry(lib.handleAll, {
          maxAttempts: retries,
          backoff: new lib.ConstantBackoff(0)
        })
        const guarded = retries > 0 ? lib.wrap(retry, breaker, timeout) : lib.wrap(breaker, timeout)
        const policy =
          next === undefined
            ? guarded
            : lib.wrap(
                lib.fallback(lib.handleAll, () => next()),
                guarded
              )
        return () => policy.execute(upstream.call)
      }, undefined)!
  )

export default cockatiel(cockatiel4)
