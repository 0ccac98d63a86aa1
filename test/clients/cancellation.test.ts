import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { clients } from "../support/clients.ts"
import { eventually } from "../support/eventually.ts"
import { chat, gateway } from "../support/gateway.ts"
import { rejection } from "../support/rejection.ts"
import {
  answer,
  content,
  fails,
  type Received,
  role,
  silence,
  stream,
  type Wall,
  wall
} from "../support/wall.ts"

const messages = [{ role: "user" as const, content: "Hi" }]

for (const [name, Client] of clients) {
  describe(`${name}: callers that leave`, () => {
    const setUp = (tier = "retry: { times: 2 }") =>
      Effect.gen(function* () {
        const [first, second] = [yield* wall, yield* wall]
        const { log, url } = yield* gateway(chat([first.url, second.url], { tier }))
        const client = new Client({ baseURL: `${url}/v1`, apiKey: "any", maxRetries: 0 })
        const ask = (options: { readonly signal?: AbortSignal; readonly timeout?: number }) =>
          client.chat.completions.create({ model: "chat", messages }, options)
        const askForStream = (signal?: AbortSignal) =>
          client.chat.completions.create({ model: "chat", messages, stream: true }, signal && { signal })
        const ended = () =>
          log
            .filter(({ message }) => message === "attempt" || message === "run")
            .map((line) => [line.message, line["outcome"], line["served_by"]])
        return { ask, askForStream, ended, first, log, second }
      })

    /** The upstream's side of the connection closes soon after the caller left, and nobody else is asked. */
    const cancelled = ({ first, second }: { readonly first: Wall; readonly second: Wall }) =>
      Effect.gen(function* () {
        const seen = first.received[0] as Received
        yield* eventually(() => seen.abandoned)
        yield* eventually(() => first.sockets() === 0)
        assert.deepStrictEqual([first.received.length, second.received.length], [1, 0])
      })

    it.scopedLive("an abort before the answer reaches the upstream at once", () =>
      Effect.gen(function* () {
        const { ask, askForStream, ended, first, second } = yield* setUp()
        for (const call of [(signal: AbortSignal) => ask({ signal }), askForStream]) {
          first.received.length = 0
          first.script(silence)
          const controller = new AbortController()
          const failing = yield* Effect.fork(rejection(() => call(controller.signal)))
          yield* eventually(() => first.received.length === 1)
          controller.abort()
          assert.instanceOf(yield* failing, Client.APIUserAbortError)
          yield* cancelled({ first, second })
        }
        yield* eventually(() => ended().length === 4)
        assert.deepStrictEqual(ended().slice(2), [
          ["attempt", "interrupted", undefined],
          ["run", "cancelled", "none"]
        ])
        // Nothing of it sticks: the tier is asked again and answers.
        first.script(answer())
        const { choices } = yield* Effect.promise(() => ask({}))
        assert.strictEqual(choices[0]?.message.content, "Hello there")
      })
    )

    it.scopedLive("an abort between a stream's headers and its first content, too", () =>
      Effect.gen(function* () {
        const { askForStream, ended, first, second } = yield* setUp()
        first.script(stream([role], "stall"))
        const controller = new AbortController()
        const failing = yield* Effect.fork(rejection(() => askForStream(controller.signal)))
        yield* eventually(() => first.received.length === 1)
        controller.abort()
        assert.instanceOf(yield* failing, Client.APIUserAbortError)
        yield* cancelled({ first, second })
        yield* eventually(() => ended().length === 2)
        assert.deepStrictEqual(ended(), [
          ["attempt", "interrupted", undefined],
          ["run", "cancelled", "none"]
        ])
      })
    )

    it.scopedLive("leaving a stream, by break or by abort, reaches the upstream at once", () =>
      Effect.gen(function* () {
        for (const leave of ["break", "abort"]) {
          for (const rest of [[], Array.from({ length: 100_000 }, () => content("more "))]) {
            const { askForStream, ended, first, second } = yield* setUp()
            first.script(stream([role, content("Hel"), ...rest], "stall"))
            yield* Effect.promise(async () => {
              const answer = await askForStream()
              for await (const chunk of answer) {
                if (chunk.choices[0]?.delta.content !== "Hel") continue
                if (leave === "break") break
                answer.controller.abort()
              }
            })
            yield* cancelled({ first, second })
            yield* eventually(() => ended().length === 2)
            assert.deepStrictEqual(ended(), [
              ["attempt", "interrupted", undefined],
              ["run", "cancelled", "tier1"]
            ])
          }
        }
      })
    )

    it.scopedLive("a client whose own time is up is a caller that left", () =>
      Effect.gen(function* () {
        const { ask, ended, first, second } = yield* setUp()
        first.script(silence)
        const error = yield* rejection(() => ask({ timeout: 300 }))
        assert.instanceOf(error, Client.APIConnectionTimeoutError)
        yield* cancelled({ first, second })
        yield* eventually(() => ended().length === 2)
        assert.deepStrictEqual(ended(), [
          ["attempt", "interrupted", undefined],
          ["run", "cancelled", "none"]
        ])
      })
    )

    it.scopedLive("whoever leaves while a retry is waited for gets no retry", () =>
      Effect.gen(function* () {
        const { ask, ended, first, log, second } = yield* setUp(
          "retry: { times: 2, base: 10s, max: 10s, jitter: none }"
        )
        first.script(fails(503))
        const controller = new AbortController()
        const failing = yield* Effect.fork(rejection(() => ask({ signal: controller.signal })))
        yield* eventually(() => log.length === 1)
        controller.abort()
        assert.instanceOf(yield* failing, Client.APIUserAbortError)
        yield* eventually(() => ended().length === 2)
        assert.deepStrictEqual(ended(), [
          ["attempt", "failure", undefined],
          ["run", "cancelled", "none"]
        ])
        assert.deepStrictEqual([first.received.length, second.received.length], [1, 0])
      })
    )

    it.scopedLive("many who leave at once take nothing from those who stay", () =>
      Effect.gen(function* () {
        const { ask, first, log, second } = yield* setUp("breaker: { consecutive: 1 }")
        first.script(silence)
        const controllers = Array.from({ length: 40 }, () => new AbortController())
        const leaving = yield* Effect.fork(
          Effect.forEach(controllers, ({ signal }) => rejection(() => ask({ signal })), {
            concurrency: "unbounded"
          })
        )
        yield* eventually(() => first.received.length === 40)
        first.script(answer())
        for (const controller of controllers) controller.abort()
        for (const error of yield* leaving) assert.instanceOf(error, Client.APIUserAbortError)
        yield* eventually(() => log.filter(({ message }) => message === "run").length === 40)
        yield* eventually(() => first.sockets() === 0)
        const { choices } = yield* Effect.promise(() => ask({}))
        assert.strictEqual(choices[0]?.message.content, "Hello there")
        assert.strictEqual(second.received.length, 0)
      })
    )
  })
}
