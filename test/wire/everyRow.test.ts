import { assert, describe, it } from "@effect/vitest"
import { ErrorTable, ProviderError } from "@understudy/http"
import { Effect } from "effect"
import { type Case, cases } from "../../packages/http/test/errorCases.ts"
import { ask, chatBody } from "../support/caller.ts"
import { eventually } from "../support/eventually.ts"
import { gateway, routeEach } from "../support/gateway.ts"
import { type Behaviour, wall } from "../support/wall.ts"

/** An upstream that says this, under 200 as an answer or as the first event of a stream. */
const says =
  ({ body = "", headers = {}, status }: Case): Behaviour =>
  (response, received) => {
    const text = typeof body === "string" ? body : JSON.stringify(body)
    const streams = status === 200 && JSON.parse(received.body.toString()).stream === true
    const type = streams ? "text/event-stream" : "application/json"
    response.writeHead(status, { "content-type": type, ...headers })
    response.end(streams ? `data: ${text}\n\n` : text)
  }

describe("every row of the table of errors, over sockets", () => {
  for (const row of ErrorTable.table) {
    for (const [name, said] of Object.entries(cases[row.name] ?? {})) {
      // No server can say the others; what they come to is up to its client.
      if (said.status < 200) continue
      const outcome = ProviderError.outcome(ProviderError.make({ kind: row.kind, retry: row.retry }))
      assert(outcome._tag !== "Success")
      const opens = outcome._tag === "Failure" && outcome.trip

      it.scopedLive(`${name}: ${row.kind}, and what follows`, () =>
        Effect.gen(function* () {
          const [whole, streamed, standby] = [yield* wall, yield* wall, yield* wall]
          for (const { script } of [whole, streamed]) script(says(said))
          const running = yield* gateway(
            routeEach(
              { whole: whole.url, streamed: streamed.url },
              { primary: { retry: { times: 0, maxRetryAfter: "1m" } }, standby: standby.url }
            )
          )
          for (const model of ["whole", "streamed"]) {
            running.log.length = 0
            standby.received.length = 0
            const served = yield* ask(running.url, {
              body: chatBody({ model, stream: model === "streamed" })
            })
            const attempt = running.log.find(({ message }) => message === "attempt")
            assert.deepStrictEqual([attempt?.["error_type"], attempt?.["status"]], [row.kind, said.status])
            const next = outcome.next !== "abort"
            assert.deepStrictEqual(
              [served.headers["x-understudy-tier"], standby.received.length],
              next ? ["standby", 1] : [undefined, 0]
            )
            if (next) assert.strictEqual(served.status, 200)
            else assert.isAtLeast(served.status, 400)
            const moved = running.log.filter(({ message }) => message === "breaker")
            assert.deepStrictEqual(
              moved.map((line) => `${line["route"]}/${line["tier"]} ${line["to"]}`),
              opens ? [`${model}/primary open`] : []
            )
          }
          assert.deepStrictEqual([whole.received.length, streamed.received.length], [1, 1])
        })
      )
    }
  }
})

describe("what is no error", () => {
  const choice = (more: object) => ({ choices: [{ index: 0, ...more }] })
  const filtered = {
    content_filter_results: { error: { code: "content_filter_error", message: "timed out" } }
  }
  const answers: Readonly<Record<string, object>> = {
    "OpenAI 200, finish_reason content_filter": choice({
      message: { role: "assistant", content: "Hel" },
      finish_reason: "content_filter"
    }),
    "OpenAI 200, refusal": choice({
      message: { role: "assistant", content: null, refusal: "No." },
      finish_reason: "stop"
    }),
    "Azure 200, its filter failed": choice({
      message: { role: "assistant", content: "Hello" },
      finish_reason: "stop",
      ...filtered
    }),
    "a model of another name": {
      ...choice({ message: { role: "assistant", content: "Hello" }, finish_reason: "stop" }),
      id: "chatcmpl-1",
      model: "somebody-else"
    }
  }
  const streams: Readonly<Record<string, ReadonlyArray<object>>> = {
    "OpenAI 200, finish_reason content_filter": [
      choice({ delta: { role: "assistant", content: "Hel" }, finish_reason: null }),
      choice({ delta: {}, finish_reason: "content_filter" })
    ],
    "OpenAI 200, refusal": [
      choice({ delta: { role: "assistant", refusal: "No." }, finish_reason: null }),
      choice({ delta: {}, finish_reason: "stop" })
    ],
    "Azure 200, filters first and last": [
      { id: "", model: "", choices: [], prompt_filter_results: [{ prompt_index: 0 }] },
      choice({ delta: { content: "Hello" }, finish_reason: null }),
      choice({ delta: {}, finish_reason: "stop" }),
      choice({ delta: {}, finish_reason: null, ...filtered })
    ]
  }
  const bodies = [
    ...Object.entries(answers).map(([name, json]) => [name, false, JSON.stringify(json)] as const),
    ...Object.entries(streams).map(
      ([name, events]) =>
        [name, true, events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("")] as const
    )
  ]
  for (const [name, stream, body] of bodies) {
    it.scopedLive(`${name}${stream ? ", in a stream" : ""}: an answer, in its own bytes`, () =>
      Effect.gen(function* () {
        const [first, standby] = [yield* wall, yield* wall]
        const type: Record<string, string> = stream ? { "content-type": "text/event-stream" } : {}
        first.script((response) => void response.writeHead(200, type).end(body))
        const running = yield* gateway(routeEach({ chat: first.url }, { primary: {}, standby: standby.url }))
        const served = yield* ask(running.url, { body: chatBody({ stream }) })
        assert.deepStrictEqual(
          [served.headers["x-understudy-tier"], served.text],
          ["primary", stream ? `${body}data: [DONE]\n\n` : body]
        )
        yield* eventually(() => running.log.length === 2)
        assert.deepStrictEqual(
          running.log.map((line) => line["outcome"]),
          ["success", "success"]
        )
      })
    )
  }
})
