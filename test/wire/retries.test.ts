import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ask, chatBody } from "../support/caller.ts"
import { chat, gateway } from "../support/gateway.ts"
import { bytes } from "../support/socket.ts"
import {
  answer,
  type Behaviour,
  content,
  fails,
  reset,
  role,
  silence,
  stream,
  wall
} from "../support/wall.ts"

interface Case {
  readonly behaviours: ReadonlyArray<Behaviour>
  readonly tier?: string
  readonly tier1?: string
  readonly route?: string
  readonly stream?: boolean
  readonly servedBy: "tier1" | "tier2"
  /** How often tier 1 was asked. */
  readonly asked: number
  /** The least time between the first two of its attempts, in milliseconds. */
  readonly gap?: number
}

const quick = "retry: { times: 2, base: 1ms, jitter: none }"

const cases: Readonly<Record<string, Case>> = {
  "connection failures are retried": {
    behaviours: [reset, bytes("", "close"), answer()],
    tier: quick,
    servedBy: "tier1",
    asked: 3
  },
  "500 and 529 are retried": {
    behaviours: [fails(500), fails(529), answer()],
    tier: quick,
    servedBy: "tier1",
    asked: 3
  },
  "a stream that breaks before its content is retried": {
    behaviours: [stream([role], "reset"), stream([role], "eof"), answer()],
    tier: quick,
    stream: true,
    servedBy: "tier1",
    asked: 3
  },
  "times: 2 are three attempts at most": {
    behaviours: [fails(500)],
    tier: quick,
    servedBy: "tier2",
    asked: 3
  },
  "a retry waits for its backoff": {
    behaviours: [fails(500), answer()],
    tier: "retry: { times: 1, base: 60ms, jitter: none }",
    servedBy: "tier1",
    asked: 2,
    gap: 60
  },
  "a 429 is retried after the time it names": {
    behaviours: [fails(429, null, { "retry-after-ms": "80" }), answer()],
    tier: quick,
    servedBy: "tier1",
    asked: 2,
    gap: 80
  },
  "a 429 that names no time is retried after the backoff": {
    behaviours: [fails(429), answer()],
    tier: "retry: { times: 1, base: 60ms, jitter: none }",
    servedBy: "tier1",
    asked: 2,
    gap: 60
  },
  "a time longer than maxRetryAfter is not waited for": {
    behaviours: [fails(429, null, { "retry-after": "2" }), answer()],
    tier: "retry: { times: 2, base: 1ms, maxRetryAfter: 1s }",
    servedBy: "tier2",
    asked: 1
  },
  "x-should-retry: false is heeded": {
    behaviours: [fails(500, null, { "x-should-retry": "false" })],
    tier: quick,
    servedBy: "tier2",
    asked: 1
  },
  "silence until attemptTimeout is not retried": {
    behaviours: [silence, answer()],
    tier: quick,
    tier1: "attemptTimeout: 60ms",
    servedBy: "tier2",
    asked: 1
  },
  "it is with onTimeout": {
    behaviours: [silence, answer()],
    tier: "retry: { times: 1, base: 1ms, onTimeout: true }, attemptTimeout: 500ms",
    servedBy: "tier1",
    asked: 2
  },
  "a wait that would outlast the tier's timeout is not begun": {
    behaviours: [fails(500), answer()],
    tier: "timeout: 1h, retry: { times: 1, base: 2h, max: 2h, jitter: none }",
    route: "deadline: 5h",
    servedBy: "tier2",
    asked: 1
  },
  "a wait that would outlast the deadline is not begun": {
    behaviours: [fails(500), answer()],
    tier: "timeout: 9h, retry: { times: 1, base: 2h, max: 2h, jitter: none }",
    route: "deadline: 1h",
    servedBy: "tier2",
    asked: 1
  },
  "a wait into an open breaker is not begun": {
    behaviours: [fails(500), answer()],
    tier: "timeout: 9h, retry: { times: 1, base: 2s, jitter: none }, breaker: { consecutive: 1, openFor: 1h, maxOpenFor: 1h }",
    route: "deadline: 9h",
    servedBy: "tier2",
    asked: 1
  },
  "what an answer has begun is never retried": {
    behaviours: [stream([role, content("Hel")], "reset"), answer()],
    tier: quick,
    stream: true,
    servedBy: "tier1",
    asked: 1
  }
}

describe("retries", () => {
  for (const [name, { asked, behaviours, gap, servedBy, ...options }] of Object.entries(cases)) {
    it.scopedLive(name, () =>
      Effect.gen(function* () {
        const [first, second] = [yield* wall, yield* wall]
        first.script(...behaviours)
        const { log, url } = yield* gateway(chat([first.url, second.url], options))
        const served = yield* ask(url, { body: chatBody({ stream: options.stream === true }) })
        assert.strictEqual(served.status, 200)
        assert.strictEqual(served.headers["x-understudy-tier"], servedBy)
        const total = asked + (servedBy === "tier2" ? 1 : 0)
        assert.strictEqual(served.headers["x-understudy-attempts"], String(total))
        assert.deepStrictEqual([first.received.length, second.received.length], [asked, total - asked])
        if (gap !== undefined) {
          assert.isAtLeast(first.received[1]!.at - first.received[0]!.at, gap)
          assert.strictEqual(log[1]?.["waited_ms"], gap)
        }
      })
    )
  }
})
