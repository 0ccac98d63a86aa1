import { assert, describe, it } from "@effect/vitest"
import { Duration, Either } from "effect"
import { CircuitBreaker, Policy } from "../src/index.ts"

const decode = (file: Policy.PolicyFile): Policy.Policy => Either.getOrThrow(Policy.decode(file))

describe("lint", () => {
  const tier = { name: "a", timeout: "20s", attemptTimeout: "10s", firstToken: "10s" }

  it("has nothing to say of the file in the design", () => {
    const policy = decode({
      deadline: "45s",
      maxTiers: 3,
      tiers: [
        {
          name: "primary",
          timeout: "20s",
          attemptTimeout: "12s",
          firstToken: "10s",
          idle: "4m",
          retry: { times: 2, base: "250ms", factor: 2, max: "4s", jitter: "full", maxRetryAfter: "5s" },
          breaker: { consecutive: 5, openFor: "30s", maxOpenFor: "5m", probes: 1 }
        },
        { name: "standby", timeout: "12s" },
        { name: "baseline", timeout: "8s" }
      ],
      alert: { tier: "primary", successBelow: 0.95, over: "5m", atLeast: 20 }
    })
    assert.deepStrictEqual(Policy.lint(policy), [])
  })

  it("has nothing to say of the defaults", () =>
    assert.deepStrictEqual(Policy.lint(decode({ tiers: [{ name: "a" }, { name: "b" }] })), []))

  const found = (
    file: Policy.PolicyFile,
    inCode: (tier: Policy.TierPolicy) => Partial<Policy.TierPolicy> = () => ({})
  ): ReadonlyArray<Policy.Finding> => {
    const policy = decode(file)
    const [first, ...rest] = policy.tiers
    return Policy.lint({ ...policy, tiers: [{ ...first, ...inCode(first) }, ...rest] })
  }

  const said = (findings: ReadonlyArray<Policy.Finding>) =>
    findings.map(
      ({ message, remedy, rule, severity, tier }) =>
        `${severity} ${tier === undefined ? "" : `${tier} `}${rule}: ${message}; ${remedy}`
    )

  it("no-time: a bound of zero, which no file can have", () => {
    const policy = decode({ tiers: [tier] })
    const none = Duration.zero
    const findings = Policy.lint({
      ...policy,
      deadline: none,
      tiers: [{ ...policy.tiers[0], attemptTimeout: none, firstToken: none }]
    })
    assert.deepStrictEqual(
      said(findings).filter((line) => line.startsWith("error")),
      [
        "error no-time: deadline of 0s leaves no time for an answer; give deadline some time",
        "error a no-time: attemptTimeout of 0s leaves no time for an answer; give attemptTimeout some time",
        "error a no-time: firstToken of 0s leaves no time for an answer; give firstToken some time"
      ]
    )
  })

  const endless = Duration.infinity

  const cases: ReadonlyArray<readonly [string, ReadonlyArray<Policy.Finding>, ...ReadonlyArray<string>]> = [
    [
      "attempt-beyond-timeout",
      found({ tiers: [{ ...tier, timeout: "8s" }] }),
      "warning a attempt-beyond-timeout: the timeout of 8s comes before the attemptTimeout of 10s and the firstToken of 10s, and the breaker does not count what a timeout cut short; lengthen timeout or shorten attemptTimeout and firstToken to it"
    ],
    [
      "attempt-beyond-timeout, of one of them",
      found({ tiers: [{ ...tier, firstToken: "25s" }] }),
      "warning a attempt-beyond-timeout: the timeout of 20s comes before the firstToken of 25s, and the breaker does not count what a timeout cut short; lengthen timeout or shorten firstToken to it"
    ],
    [
      "attempt-beyond-deadline",
      found({ deadline: "8s", tiers: [{ ...tier, firstToken: "8s" }] }),
      "warning a attempt-beyond-deadline: the deadline of 8s comes before the attemptTimeout of 10s: an attempt that hangs ends the run, and the breaker does not count it; lengthen deadline or shorten attemptTimeout"
    ],
    [
      "attempt-beyond-deadline, where the timeout comes first",
      found({ deadline: "9s", tiers: [{ ...tier, timeout: "8s", attemptTimeout: "8s" }] }),
      "warning a attempt-beyond-timeout: the timeout of 8s comes before the firstToken of 10s, and the breaker does not count what a timeout cut short; lengthen timeout or shorten firstToken to it"
    ],
    [
      "unreachable-tier",
      found({
        deadline: "10s",
        tiers: [
          { ...tier, attemptTimeout: "9s" },
          { ...tier, name: "b" },
          { ...tier, name: "c" }
        ]
      }),
      "warning b unreachable-tier: the tiers before it take 10s when they hang in a stream, and the deadline of 10s is over before it is asked; lengthen deadline or shorten the attempts of the tiers before",
      "warning c unreachable-tier: the tiers before it take 19s when they hang, and the deadline of 10s is over before it is asked; lengthen deadline or shorten the attempts of the tiers before"
    ],
    [
      "unreachable-tier, where maxTiers leaves it out anyway",
      found({ deadline: "20s", maxTiers: 2, tiers: [tier, { ...tier, name: "b" }, { ...tier, name: "c" }] })
    ],
    [
      "unreachable-tier, after timeouts that are retried",
      found({
        deadline: "33s",
        tiers: [
          { ...tier, timeout: "1m", retry: { times: 2, base: "1s", onTimeout: true } },
          { ...tier, name: "b" }
        ]
      }),
      "warning b unreachable-tier: the tiers before it take 33s when they hang, and the deadline of 33s is over before it is asked; lengthen deadline or shorten the attempts of the tiers before"
    ],
    [
      "unreachable-tier, when the retried timeouts leave a second",
      found({
        deadline: "34s",
        tiers: [
          { ...tier, timeout: "1m", retry: { times: 2, base: "1s", onTimeout: true } },
          { ...tier, name: "b" }
        ]
      })
    ],
    [
      "unbounded-tier",
      found({ tiers: [tier] }, () => ({
        timeout: endless,
        attemptTimeout: Duration.minutes(1),
        firstToken: endless
      })),
      "warning a attempt-beyond-deadline: the deadline of 1m comes before the firstToken of infinity: an attempt that hangs ends the run, and the breaker does not count it; lengthen deadline or shorten firstToken",
      "warning a unbounded-tier: nothing but the run's deadline ends an attempt that hangs; give the tier a timeout"
    ],
    [
      "unbounded-tier and endless-lease, without a deadline",
      Policy.lint({
        deadline: endless,
        maxTiers: undefined,
        tiers: [
          {
            ...decode({ tiers: [tier] }).tiers[0],
            timeout: endless,
            attemptTimeout: endless,
            breaker: CircuitBreaker.config({ lease: endless })
          }
        ]
      }),
      "warning a unbounded-tier: nothing ends an attempt that hangs; give the tier a timeout",
      "warning a endless-lease: a probe that hangs keeps the breaker half-open for ever; give the attempts or breaker.lease an end"
    ],
    [
      "unbounded-stream",
      found({ tiers: [tier] }, () => ({ idle: endless, maxStream: endless })),
      "warning a unbounded-stream: nothing ends a stream that falls silent; give the tier an idle bound"
    ],
    [
      "unbounded-stream, where one of the two ends it",
      found({ tiers: [tier] }, () => ({ maxStream: endless }))
    ],
    [
      "idle-beyond-stream",
      found({ tiers: [{ ...tier, idle: "15m" }] }),
      "warning a idle-beyond-stream: an idle of 15m never ends a stream that may last 15m in all; make idle shorter than maxStream"
    ],
    [
      "waits-fill-timeout",
      found({ tiers: [{ ...tier, retry: { times: 10, base: "2s", factor: 1 } }] }),
      "warning a waits-fill-timeout: the waits before its retries can add up to 20s and leave nothing of the timeout of 20s; lower retry.times, retry.base or retry.max, or lengthen timeout"
    ],
    [
      "waits-fill-timeout, of the deadline",
      found({ deadline: "18s", tiers: [{ ...tier, retry: { times: 9, base: "2s", factor: 1 } }] }),
      "warning a waits-fill-timeout: the waits before its retries can add up to 18s and leave nothing of the deadline of 18s; lower retry.times, retry.base or retry.max, or lengthen deadline"
    ],
    [
      "waits-fill-timeout, by a little",
      found({ tiers: [{ ...tier, retry: { times: 9, base: "2s", factor: 1 } }] })
    ],
    [
      "wait-beyond-max",
      found({ tiers: [{ ...tier, retry: { times: 1, base: "10s" } }] }),
      "warning a wait-beyond-max: a retry.base of 10s is cut to the retry.max of 4s; make retry.base no longer than retry.max"
    ],
    [
      "retry-after-beyond-timeout",
      found({ tiers: [{ ...tier, retry: { maxRetryAfter: "21s" } }] }),
      "warning a retry-after-beyond-timeout: no wait as long as the timeout of 20s is ever made, yet one that is asked for opens the breaker only beyond the maxRetryAfter of 21s; lower retry.maxRetryAfter to 20s or less"
    ],
    [
      "waits of no retry",
      found({ tiers: [{ ...tier, retry: { times: 0, base: "10s", maxRetryAfter: "21s" } }] })
    ],
    [
      "timeouts-not-retried",
      found({ tiers: [{ name: "a", retry: { onTimeout: true } }] }),
      "warning a timeouts-not-retried: retry.onTimeout is set, but one attempt may use up all of the tier's timeout; make attemptTimeout and firstToken shorter than timeout"
    ],
    [
      "timeouts-not-retried, without a retry",
      found({ tiers: [{ ...tier, retry: { times: 0, onTimeout: true } }] }),
      "warning a timeouts-not-retried: retry.onTimeout is set, but retry.times is 0; raise retry.times"
    ],
    [
      "open-beyond-max",
      found({ tiers: [{ ...tier, breaker: { openFor: "6m" } }] }),
      "warning a open-beyond-max: a breaker.openFor of 6m is cut to the breaker.maxOpenFor of 5m; make breaker.openFor no longer than breaker.maxOpenFor"
    ],
    [
      "window-below-attempts",
      found({
        tiers: [
          { ...tier, breaker: { consecutive: 5, rate: { window: "19s" }, slow: { after: "9s", size: 9 } } }
        ]
      }),
      "warning a window-below-attempts: a breaker.rate.window of 19s holds too few attempts to judge by: one may take 10s; make the window at least twice as long as an attempt"
    ],
    [
      "window-below-attempts, by a little",
      found({ tiers: [{ ...tier, breaker: { rate: { window: "20s" } } }] })
    ],
    [
      "slow-beyond-attempt",
      found({ tiers: [{ ...tier, breaker: { slow: { after: "10s" } } }] }),
      "warning a slow-beyond-attempt: no attempt is slower than a breaker.slow.after of 10s: it is ended after 10s; make breaker.slow.after shorter than the attempts"
    ],
    [
      "unused-hedge, of the last tier",
      found({
        tiers: [
          { ...tier, hedge: { after: "2s" } },
          { ...tier, name: "b", hedge: { after: "2s" } }
        ]
      }),
      "warning b unused-hedge: a hedge has no next tier to ask; remove it or add a tier"
    ],
    [
      "unused-hedge, where one tier is all",
      found({
        maxTiers: 1,
        tiers: [
          { ...tier, hedge: { after: "2s" } },
          { ...tier, name: "b" }
        ]
      }),
      "warning a unused-hedge: a hedge has no next tier to ask; remove it or add a tier"
    ],
    [
      "unused-hedge, as late as the tier's end",
      found({
        tiers: [
          { ...tier, retry: { times: 0 }, hedge: { after: "10s" } },
          { ...tier, name: "b" }
        ]
      }),
      "warning a unused-hedge: a hedge.after of 10s never comes: the tier is given up after 10s; make hedge.after shorter"
    ],
    [
      "lease-below-attempt",
      found({ tiers: [{ ...tier, breaker: { lease: "9s" } }] }),
      "warning a lease-below-attempt: a probe counts as failed after a breaker.lease of 9s, but may take 10s; make breaker.lease longer than an attempt"
    ],
    [
      "wait-beyond-max, by a little",
      found({ tiers: [{ ...tier, retry: { times: 1, base: "4s", max: "4s" } }] })
    ],
    [
      "retry-after-beyond-timeout, by a little",
      found({ tiers: [{ ...tier, retry: { times: 1, maxRetryAfter: "20s" } }] })
    ],
    [
      "retry-after-beyond-timeout, of a single retry",
      found({ tiers: [{ ...tier, retry: { times: 1, maxRetryAfter: "20.5s" } }] }),
      "warning a retry-after-beyond-timeout: no wait as long as the timeout of 20s is ever made, yet one that is asked for opens the breaker only beyond the maxRetryAfter of 20.5s; lower retry.maxRetryAfter to 20s or less"
    ],
    [
      "waits-fill-timeout, of a single retry, where the deadline is no shorter",
      found({ deadline: "20s", tiers: [{ ...tier, retry: { times: 1, base: "20s", max: "20s" } }] }),
      "warning a waits-fill-timeout: the waits before its retries can add up to 20s and leave nothing of the timeout of 20s; lower retry.times, retry.base or retry.max, or lengthen timeout"
    ],
    [
      "timeouts-not-retried, where those of streams are not",
      found({ tiers: [{ ...tier, firstToken: "20s", retry: { onTimeout: true } }] })
    ],
    [
      "attempt-beyond-deadline, where timeout and deadline are the same",
      found({ deadline: "8s", tiers: [{ ...tier, timeout: "8s", attemptTimeout: "8s" }] }),
      "warning a attempt-beyond-timeout: the timeout of 8s comes before the firstToken of 10s, and the breaker does not count what a timeout cut short; lengthen timeout or shorten firstToken to it"
    ],
    ["open-beyond-max, by a little", found({ tiers: [{ ...tier, breaker: { openFor: "5m" } }] })],
    ["lease-below-attempt, by a little", found({ tiers: [{ ...tier, breaker: { lease: "10s" } }] })]
  ]

  for (const [title, findings, ...expected] of cases) {
    it(title, () => assert.deepStrictEqual(said(findings), expected))
  }
})
