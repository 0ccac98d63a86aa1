import { Effect, Stream } from "effect"
import type { Part, Provider } from "../src/Provider.ts"
import type { ProviderError } from "../src/ProviderError.ts"
import * as Upstream from "../src/Upstream.ts"

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
export const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

/** What an upstream answers. */
export interface Script {
  readonly status?: number
  readonly headers?: Record<string, string>
  readonly body?: string | Stream.Stream<Uint8Array, Upstream.TransportError>
}

/** An upstream that answers this, with what it saw and when its scopes opened and closed. */
export const scripted = (script: Script | Upstream.TransportError) => {
  const log: Array<string> = []
  const requests: Array<Upstream.Request> = []
  const upstream: Upstream.Upstream = {
    send: (request) =>
      Effect.gen(function* () {
        requests.push(request)
        yield* Effect.acquireRelease(
          Effect.sync(() => log.push("open")),
          () => Effect.sync(() => log.push("close"))
        )
        if (script instanceof Upstream.TransportError) return yield* script
        const { body = "", headers = {}, status = 200 } = script
        return yield* Upstream.respond({
          status,
          headers,
          body: typeof body === "string" ? bytes(body) : body
        })
      })
  }
  return { upstream, log, requests }
}

/** A request of a caller, with these fields behind its model. */
export const request = (fields = "") => {
  const body = bytes(`{"model": "chat"${fields}}`)
  return { model: "chat", stream: fields.includes("stream"), body }
}

/** The parts of a streamed answer, as a `Stream`. */
export const partsOf = (answer: ReturnType<Provider["stream"]>): Stream.Stream<Part, ProviderError> =>
  Stream.unwrapScoped(Effect.map(answer, Stream.repeatEffectChunkOption))

export const event = (json: unknown): string => `data: ${JSON.stringify(json)}\n\n`
export const delta = (content: string): string => event({ choices: [{ index: 0, delta: { content } }] })
export const stop = event({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] })
export const answer =
  '{"choices":[{"message":{"content":"Hi"}}],"usage":{"prompt_tokens":3,"completion_tokens":1}}'
export const sse = { "content-type": "text/event-stream" }
