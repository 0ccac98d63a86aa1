/**
 * The file that is served when there is none: it needs no network and no key.
 */
export const sandboxPolicy = `providers:
  sandbox-primary:  { kind: sandbox, latency: 120ms, failure: { status: 503, rate: 0.5 } }
  sandbox-standby:  { kind: sandbox, latency: 180ms, failure: { status: 503, rate: 0.1 } }
  sandbox-baseline: { kind: sandbox, latency: 60ms }
routes:
  chat:
    deadline: 15s
    tiers:
      - name: primary
        provider: sandbox-primary
        model: sandbox-large
        timeout: 5s
        retry: &retry { times: 2, base: 100ms, max: 400ms, maxRetryAfter: 2s }
        breaker: &breaker { consecutive: 5, openFor: 10s }
      - name: standby
        provider: sandbox-standby
        model: sandbox-medium
        timeout: 4s
        retry: *retry
        breaker: *breaker
      - name: baseline
        provider: sandbox-baseline
        model: sandbox-small
        timeout: 3s
        retry: *retry
        breaker: *breaker
`
