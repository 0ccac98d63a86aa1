import { ofPromise } from "../contender.ts"
import { attemptTimeout, openFor } from "../scenarios.ts"
import type { Upstream } from "../upstream.ts"

interface Breaker {
  failures: number
  openUntil: number
}

const withTimeout = (upstream: Upstream): Promise<number> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("timeout")), attemptTimeout)
    const fail = (error: unknown) => {
      clearTimeout(timer)
      reject(error)
    }
    try {
      Promise.resolve(upstream.call()).then((value) => {
        clearTimeout(timer)
        resolve(value)
      }, fail)
    } catch (error) {
      fail(error)
    }
  })

export default ofPromise(({ failures, retries }, upstreams) => {
  const tiers = upstreams.map((upstream) => ({
    upstream,
    breaker: { failures: 0, openUntil: 0 } satisfies Breaker
  }))
  return async () => {
    let lastError: unknown
    for (const { breaker, upstream } of tiers) {
      for (let attempt = 0; attempt <= retries; attempt++) {
        if (breaker.openUntil > Date.now()) break
        try {
          const value = await withTimeout(upstream)
          breaker.failures = 0
          return value
        } catch (error) {
          lastError = error
          if (++breaker.failures >= failures) breaker.openUntil = Date.now() + openFor
        }
      }
    }
    throw lastError ?? new Error("open")
  }
})
