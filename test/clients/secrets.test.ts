import { assert, describe, it } from "@effect/vitest"
import { Log } from "@understudy/gateway"
import { Cause, Effect } from "effect"
import { clients, gather } from "../support/clients.ts"
import { eventually } from "../support/eventually.ts"
import { chat, gateway } from "../support/gateway.ts"
import { rejection } from "../support/rejection.ts"
import { type Behaviour, content, finish, raw, reset, role, sends, stream, wall } from "../support/wall.ts"

const prompt = "PROMPT-zYxQ"
const answer = "ANSWER-zYxQ"
const gatewayKey = "gateway-key-zYxQ"
const upstreamKey = "sk-upstream-zYxQ"
const secrets = [prompt, answer, gatewayKey, upstreamKey, "zYxQ"]

const telling = `Incorrect API key provided: ${upstreamKey}. You asked: ${prompt}. I said: ${answer}.`
const tells = (status: number, code: string | null = null): Behaviour =>
  sends(
    status,
    "application/json",
    JSON.stringify({ error: { message: telling, type: telling, param: telling, code: code ?? telling } })
  )

/** Every way to fail that quotes what it should not. */
const failures: ReadonlyArray<readonly [string, Behaviour]> = [
  ...[307, 401, 402, 403, 408, 409, 424, 429, 500, 501, 502, 503, 504, 524, 529].map(
    (status) => [String(status), tells(status)] as const
  ),
  ["a named quota", tells(429, "insufficient_quota")],
  ["an error under 200", tells(200)],
  ["HTML", sends(200, "text/html", `<html>${telling}</html>`)],
  ["HTML of a proxy", sends(502, "text/html", `<html>${telling}</html>`)],
  ["broken JSON", sends(200, "application/json", `{"choices":[{"message":{"content":"${telling}`)],
  ["no choices", sends(200, "application/json", JSON.stringify({ choices: [], telling }))],
  ["an error chunk", stream([role, raw(`data: {"error":{"message":"${telling}"}}\n\n`)], "eof")],
  ["an error event", stream([role, raw(`event: error\ndata: ${telling}\n\n`)], "eof")],
  ["a reset", reset]
]

for (const [name, Client] of clients) {
  describe(`${name}: what is told to nobody`, () => {
    const setUpFor = Effect.fnUntraced(function* (kind: "openai" | "anthropic") {
      const upstream = yield* wall
      const yaml = chat([upstream.url], {
        server: `apiKeys: ["\${GATEWAY_KEY}"]`,
        tier: "retry: { times: 1, base: 1ms }"
      })
        .replace("kind: openai", `kind: ${kind}`)
        .replace("sk-upstream-1", `"\${UPSTREAM_KEY}"`)
      const running = yield* gateway(yaml, { GATEWAY_KEY: gatewayKey, UPSTREAM_KEY: upstreamKey })
      const client = new Client({ baseURL: `${running.url}/v1`, apiKey: gatewayKey, maxRetries: 0 })
      const create = (stream: boolean) =>
        client.chat.completions.create({
          model: "chat",
          stream,
          messages: [{ role: "user", content: prompt }],
          user: prompt
        })
      const told = () => {
        const causes = running.events.map((event) =>
          event._tag === "AttemptEnded" && event.attempt.cause !== undefined
            ? [Cause.pretty(event.attempt.cause, { renderErrorCause: true }), String(event.attempt.cause)]
            : []
        )
        return JSON.stringify([
          running.log,
          running.log.map((entry) => [Log.render(entry, "json"), Log.render(entry, "pretty")]),
          running.events,
          causes
        ])
      }
      return { client, create, told, upstream, ...running }
    })
    const setUp = setUpFor("openai")

    const tellsNothing = (text: string) => {
      for (const secret of secrets) assert.notInclude(text, secret)
    }

    const cases = (["openai", "anthropic"] as const).flatMap((kind) =>
      failures.map(([how, behaviour]) => ({ kind, how, behaviour }))
    )
    for (const { behaviour, how, kind } of cases) {
      it.scopedLive(`${kind}, ${how}: neither the error nor the log quotes it`, () =>
        Effect.gen(function* () {
          for (const stream of [false, true]) {
            const { create, log, told, upstream } = yield* setUpFor(kind)
            upstream.script(behaviour)
            const error = yield* rejection(() => create(stream))
            assert.isAtLeast(error.status ?? 0, 429)
            const { authorization, "x-api-key": key } = upstream.received[0]!.headers
            assert.strictEqual(authorization ?? `Bearer ${key}`, `Bearer ${upstreamKey}`)
            assert.include(upstream.received[0]?.body.toString(), prompt)
            tellsNothing(JSON.stringify([error.message, error.error, ...(error.headers ?? [])]))
            yield* eventually(() => log.some(({ message }) => message === "run"))
            tellsNothing(told())
          }
        })
      )
    }

    it.scopedLive("an answer, whole, streamed or cut, leaves no trace", () =>
      Effect.gen(function* () {
        const { client, log, told, upstream } = yield* setUp
        const call = { model: "chat", messages: [{ role: "user" as const, content: prompt }] }
        const completion = { choices: [{ message: { content: answer }, finish_reason: "stop" }] }
        upstream.script(
          sends(200, "application/json", JSON.stringify(completion)),
          stream([role, content(answer), finish]),
          stream([role, content(answer), raw(`data: {"error":{"message":"${telling}"}}\n\n`)]),
          tells(400),
          tells(422)
        )
        const whole = yield* Effect.promise(() => client.chat.completions.create(call))
        assert.strictEqual(whole.choices[0]?.message.content, answer)
        const chunks = yield* Effect.promise(async () =>
          gather(await client.chat.completions.create({ ...call, stream: true }))
        )
        assert.strictEqual(chunks[1]?.choices[0]?.delta.content, answer)
        const cut = yield* rejection(async () =>
          gather(await client.chat.completions.create({ ...call, stream: true }))
        )
        assert.strictEqual(cut.code, "stream_interrupted")
        tellsNothing(JSON.stringify([cut.message, cut.error]))
        // A caller's own mistake comes as the upstream put it, but to nobody else.
        for (const status of [400, 422]) {
          const error = yield* rejection(() => client.chat.completions.create(call))
          assert.strictEqual(error.status, status)
          assert.include(error.message, prompt)
          assert.notInclude(JSON.stringify([error.message, error.error]), upstreamKey)
        }
        yield* eventually(() => log.filter(({ message }) => message === "run").length === 5)
        tellsNothing(told())
      })
    )

    it.scopedLive(
      "what a provider cannot be asked it is told to the caller alone, and its value to nobody",
      () =>
        Effect.gen(function* () {
          const { client, told, upstream } = yield* setUpFor("anthropic")
          for (const fields of [
            { messages: [{ role: "user", content: "Hi", name: prompt }] },
            { messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: prompt } }] }] },
            { messages: [{ role: prompt, content: "Hi" }] },
            { messages: [{ role: "user", content: "Hi" }], reasoning_effort: prompt },
            { messages: [{ role: "user", content: "Hi" }], logit_bias: { [prompt]: 1 } }
          ]) {
            const error = yield* rejection(() =>
              client.post("/chat/completions", { body: { model: "chat", ...fields } })
            )
            assert.strictEqual(error.code, "unsupported_parameter")
            tellsNothing(JSON.stringify([error.message, error.error]))
          }
          const named = { model: "chat", messages: [{ role: "user", content: "Hi" }], [prompt]: 1 }
          const error = yield* rejection(() => client.post("/chat/completions", { body: named }))
          assert.strictEqual(error.param, prompt)
          assert.strictEqual(upstream.received.length, 0)
          tellsNothing(told())
        })
    )

    it.scopedLive("what the gateway refuses it does not quote", () =>
      Effect.gen(function* () {
        const { client, told, url } = yield* setUp
        const stranger = new Client({ baseURL: `${url}/v1`, apiKey: upstreamKey, maxRetries: 0 })
        const json = { headers: { "content-type": "application/json" } }
        const messages = [{ role: "user" as const, content: prompt }]
        for (const call of [
          () => stranger.chat.completions.create({ model: "chat", messages }),
          () => client.chat.completions.create({ model: prompt, messages }),
          () =>
            client.chat.completions.create(
              { model: "chat", messages },
              { headers: { "x-understudy-timeout": prompt } }
            ),
          () => client.models.retrieve(prompt),
          () => client.get(`/${prompt}`),
          () => client.post("/chat/completions", { ...json, body: `{"model":"${prompt}",` }),
          () => client.post("/chat/completions", { ...json, body: `{"model":["${prompt}"]}` })
        ]) {
          const error = yield* rejection(call)
          assert.isAtLeast(error.status ?? 0, 400)
          tellsNothing(JSON.stringify([error.message, error.error, ...(error.headers ?? [])]))
        }
        tellsNothing(told())
      })
    )
  })
}
