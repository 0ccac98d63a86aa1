import { assert, it } from "@effect/vitest"
import { Effect, FastCheck } from "effect"
import { call, chatBody, get } from "../support/caller.ts"
import { eventually } from "../support/eventually.ts"
import { chat, gateway } from "../support/gateway.ts"
import { samplesOf } from "../support/samples.ts"
import { recordedSpans } from "../support/spans.ts"
import {
  answer,
  type Behaviour,
  content,
  fails,
  finish,
  raw,
  reset,
  role,
  silence,
  stream,
  wall
} from "../support/wall.ts"

/** What an upstream may do with a request, and what that is to whoever counts. */
const acts = {
  answers: [answer(), "success none"],
  breaks: [fails(503), "failure overloaded"],
  limits: [fails(429), "failure rate_limited"],
  refuses: [fails(400), "ignored invalid_request"],
  resets: [reset, "failure connection"],
  // Its caller leaves as soon as it has been asked.
  hangs: [silence, "interrupted interrupted"]
} as const satisfies Record<string, readonly [Behaviour, string]>

type Act = keyof typeof acts

const tiers = 3
const runs = 1_000
const words = 2

/** What each tier does in each run, the last tier answering more often than not; and whether it is a stream. */
const plans = FastCheck.sample(
  FastCheck.record({
    acts: FastCheck.array(
      FastCheck.constantFrom<Act>(
        "answers",
        "answers",
        "breaks",
        "breaks",
        "limits",
        "refuses",
        "resets",
        "hangs"
      ),
      { minLength: tiers, maxLength: tiers }
    ),
    stream: FastCheck.boolean()
  }),
  { numRuns: runs, seed: 1 }
)

const usage = raw(
  `data: ${JSON.stringify({ choices: [], usage: { prompt_tokens: 1, completion_tokens: words } })}\n\n`
)
const streamed = stream([role, content("Hello"), content(" there"), finish, usage])

/** How often each line comes. */
const tally = (lines: Iterable<string>): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (const line of [...lines].sort()) counts[line] = (counts[line] ?? 0) + 1
  return counts
}

/** The samples of a counter as such a tally of these labels' values, from the text that Prometheus would scrape. */
const counted = (text: string, name: string, labels: ReadonlyArray<string>): Record<string, number> =>
  Object.fromEntries(
    samplesOf(text)
      .filter((sample) => sample.name === `understudy_${name}` && sample.value > 0)
      .map((sample): [string, number] => [
        labels.map((label) => sample.labels[label]).join(" "),
        sample.value
      ])
      .sort(([a], [b]) => (a < b ? -1 : 1))
  )

it.scopedLive(
  "spans, log, metrics and what upstreams and callers saw agree, over a thousand mixed runs",
  () =>
    Effect.gen(function* () {
      const spans = recordedSpans()
      const upstream = yield* wall
      const done: Array<string> = []
      const leave = new Map<number, () => void>()
      upstream.script((response, received) => {
        const { model, run, stream } = JSON.parse(received.body.toString())
        const tier = Number(model.at(-1))
        const act = plans[run]!.acts[tier - 1]!
        const [behaviour, outcome] = acts[act]
        done.push(`tier${tier} ${outcome}`)
        if (act === "answers" && stream) streamed(response, received)
        else behaviour(response, received)
        if (act === "hangs") leave.get(run)?.()
      })
      const policy = {
        tier: "retry: { times: 1, base: 1ms, jitter: none }, breaker: { consecutive: 8, openFor: 20ms }"
      }
      const { log, url } = yield* gateway(chat(Array(tiers).fill(upstream.url), policy)).pipe(
        Effect.withTracer(spans.tracer)
      )
      const answered = yield* Effect.forEach(
        plans,
        ({ stream }, run) =>
          Effect.scoped(
            Effect.flatMap(call(url, { body: chatBody({ run, stream }) }), (under) => {
              leave.set(run, under.leave)
              return under.answer
            })
          ),
        { concurrency: 16 }
      )
      const lines = (message: string) => log.filter((line) => line.message === message)
      yield* eventually(() => lines("run").length === runs)
      const { text } = yield* get(url, "/metrics")

      const attempts = tally(done)
      assert.strictEqual(Object.keys(attempts).length, tiers * Object.keys(acts).length)
      const labels = ["tier", "outcome", "error_type"]
      assert.deepStrictEqual(counted(text, "attempts_total", labels), attempts)
      const logged = lines("attempt").map(
        (line) => `${line["tier"]} ${line["outcome"]} ${line["error_type"] ?? "none"}`
      )
      assert.deepStrictEqual(tally(logged), attempts)
      const traced = spans
        .named("attempt")
        .map(({ attributes }) =>
          ["understudy.tier", "understudy.outcome", "error.type"]
            .map((key) => attributes.get(key) ?? "none")
            .join(" ")
        )
      assert.deepStrictEqual(tally(traced), attempts)

      const ended = counted(text, "requests_total", ["served_by", "outcome", "fallback"])
      const endings = lines("run").map(
        (line) => `${line["served_by"]} ${line["outcome"]} ${line["fallback"]}`
      )
      assert.deepStrictEqual(tally(endings), ended)
      const closed = spans.named("fallback chat").map(({ attributes }) => {
        const said = (key: string) => attributes.get(`understudy.${key}`)
        return `${said("served_by") ?? "none"} ${said("outcome")} ${said("fallback")}`
      })
      assert.deepStrictEqual(tally(closed), ended)
      const heard = answered
        .filter(({ status }) => status === 200)
        .map(({ headers }) => headers["x-understudy-tier"])
      const served = counted(text, "tier_runs_total", ["tier", "served"])
      for (const tier of ["tier1", "tier2", "tier3"]) {
        assert.strictEqual(served[`${tier} true`], heard.filter((by) => by === tier).length)
        assert.strictEqual(ended[`${tier} success ${tier !== "tier1"}`], served[`${tier} true`])
      }
      assert.deepStrictEqual(
        tally(lines("refused").map((line) => String(line["tier"]))),
        tally(spans.events("tier refused").map((attributes) => String(attributes["understudy.tier"])))
      )
      assert.deepStrictEqual(
        counted(text, "tokens_total", ["tier", "direction"]),
        Object.fromEntries(
          ["tier1", "tier2", "tier3"].flatMap((tier) => [
            [`${tier} input`, attempts[`${tier} success none`]],
            [`${tier} output`, words * attempts[`${tier} success none`]!]
          ])
        )
      )
    }),
  120_000
)
