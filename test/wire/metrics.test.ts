import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ask, chatBody, get } from "../support/caller.ts"
import { chat, gateway } from "../support/gateway.ts"
import { content, fails, finish, raw, role, stream, wall } from "../support/wall.ts"

/** The samples that are not nothing, without the buckets and sums of durations. */
const samples = (text: string): ReadonlyArray<string> =>
  text.split("\n").filter((line) => /^[a-z]/.test(line) && !/_bucket|_sum| 0$/.test(line))

describe("/metrics", () => {
  it.scopedLive("says what every run and attempt came to, and how the breakers stand", () =>
    Effect.gen(function* () {
      const [first, second] = [yield* wall, yield* wall]
      first.script(fails(500))
      const { url } = yield* gateway(
        chat([first.url, second.url], {
          tier: "retry: { times: 0 }, breaker: { consecutive: 2, openFor: 1m }"
        })
      )
      for (let run = 0; run < 3; run++) yield* ask(url)
      assert.deepStrictEqual(samples((yield* get(url, "/metrics")).text), [
        'understudy_requests_total{route="chat",served_by="tier2",outcome="success",fallback="true"} 3',
        'understudy_request_duration_seconds_count{route="chat",served_by="tier2",outcome="success"} 3',
        'understudy_attempts_total{route="chat",tier="tier1",model="model1",outcome="failure",error_type="server_error"} 2',
        'understudy_attempts_total{route="chat",tier="tier2",model="model2",outcome="success",error_type="none"} 3',
        'understudy_attempt_duration_seconds_count{route="chat",tier="tier1",model="model1",outcome="failure"} 2',
        'understudy_attempt_duration_seconds_count{route="chat",tier="tier2",model="model2",outcome="success"} 3',
        'understudy_tier_runs_total{route="chat",tier="tier1",model="model1",served="false"} 3',
        'understudy_tier_runs_total{route="chat",tier="tier2",model="model2",served="true"} 3',
        'understudy_tokens_total{route="chat",tier="tier2",model="model2",direction="input"} 3',
        'understudy_tokens_total{route="chat",tier="tier2",model="model2",direction="output"} 6',
        'understudy_fallbacks_total{route="chat",tier="tier2",model="model2",reason="server_error"} 2',
        'understudy_fallbacks_total{route="chat",tier="tier2",model="model2",reason="circuit_open"} 1',
        'understudy_breaker_transitions_total{route="chat",tier="tier1",from="closed",to="open",reason="consecutive"} 1',
        'understudy_breaker_state{route="chat",tier="tier1"} 2'
      ])
    })
  )

  it.scopedLive("counts the tokens of streams, of those that failed too, as far as upstreams say", () =>
    Effect.gen(function* () {
      const [first, second] = [yield* wall, yield* wall]
      const usage = (prompt_tokens: number, completion_tokens: number) =>
        raw(`data: ${JSON.stringify({ choices: [], usage: { prompt_tokens, completion_tokens } })}\n\n`)
      first.script(stream([role, usage(5, 0)], "reset"))
      second.script(stream([role, usage(7, 1), content("Hi"), finish, usage(7, 2)]))
      const { url } = yield* gateway(chat([first.url, second.url], { tier: "retry: { times: 0 }" }))
      yield* ask(url, { body: chatBody({ stream: true }) })
      const { text } = yield* get(url, "/metrics")
      assert.deepStrictEqual(
        samples(text).filter((line) => line.includes("tokens")),
        [
          'understudy_tokens_total{route="chat",tier="tier1",model="model1",direction="input"} 5',
          'understudy_tokens_total{route="chat",tier="tier2",model="model2",direction="input"} 7',
          'understudy_tokens_total{route="chat",tier="tier2",model="model2",direction="output"} 2'
        ]
      )
    })
  )

  it.scopedLive("begins every series at nothing, and no name that callers choose is a label", () =>
    Effect.gen(function* () {
      const { url } = yield* gateway(chat([(yield* wall).url]))
      const lines = Effect.map(get(url, "/metrics"), ({ text }) => text.split("\n"))
      const before = yield* lines
      assert.include(
        before,
        'understudy_requests_total{route="chat",served_by="tier1",outcome="success",fallback="false"} 0'
      )
      assert.include(before, 'understudy_breaker_state{route="chat",tier="tier1"} 0')
      for (let caller = 0; caller < 20; caller++) yield* ask(url, { body: chatBody({ model: `m${caller}` }) })
      assert.deepStrictEqual(yield* lines, before)
    })
  )

  it.scopedLive("is OpenMetrics, with an end, for whoever asks for that", () =>
    Effect.gen(function* () {
      const { url } = yield* gateway(chat([(yield* wall).url]))
      yield* ask(url)
      const plain = yield* get(url, "/metrics")
      assert.strictEqual(plain.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8")
      assert.notInclude(plain.text, "# EOF")
      const accept = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"
      const open = yield* ask(url, { method: "GET", path: "/metrics", headers: { accept } })
      assert.strictEqual(
        open.headers["content-type"],
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
      )
      assert.match(open.text, /_bucket\{.*\} 1 # \{trace_id="[0-9a-f]{32}",span_id="[0-9a-f]{16}"\} /)
      assert.match(open.text, /\n# EOF\n$/)
    })
  )

  it.scopedLive("wants a caller's key where there is one, and a GET", () =>
    Effect.gen(function* () {
      const { url } = yield* gateway(chat([(yield* wall).url], { server: "apiKeys: [sk-caller]" }))
      const asking = (method: string, headers: Record<string, string>) =>
        Effect.map(ask(url, { method, path: "/metrics", headers }), ({ headers, status }) => [
          status,
          headers.allow
        ])
      assert.deepStrictEqual(yield* asking("GET", {}), [401, undefined])
      assert.deepStrictEqual(yield* asking("GET", { authorization: "Bearer sk-caller" }), [200, undefined])
      assert.deepStrictEqual(yield* asking("POST", {}), [405, "GET, HEAD"])
    })
  )
})
