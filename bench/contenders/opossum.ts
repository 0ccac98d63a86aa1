import CircuitBreaker from "opossum"
import { ofPromise } from "../contender.ts"
import { attemptTimeout, openFor } from "../scenarios.ts"

export default ofPromise(
  ({ failures }, upstreams) =>
    upstreams.reduceRight<(() => Promise<number>) | undefined>((next, upstream) => {
      const breaker = new CircuitBreaker<number>(async () => upstream.call(), {
        timeout: attemptTimeout,
        resetTimeout: openFor,
        // It knows no consecutive failures; this opens it after so many calls that all failed.
        volumeThreshold: failures,
        errorThresholdPercentage: 99
      })
      if (next !== undefined) breaker.fallback(next)
      return () => breaker.fire()
    }, undefined)!
)
