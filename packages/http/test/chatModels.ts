import { type Duration, Effect, Stream } from "effect"
import { ChatModel, OpenAiCompatible, Upstream } from "../src/index.ts"

/** What the upstream does with one call. */
export interface Act {
  readonly status?: number
  readonly type?: string
  readonly body: string
  readonly after?: Duration.DurationInput
  /** Whether the connection breaks after the body. */
  readonly breaks?: boolean
}

const bytes = (text: string) => new TextEncoder().encode(text)

export const sends = (json: unknown, status = 200): Act => ({ status, body: JSON.stringify(json) })
export const fails = (status: number): Act => sends({ error: { message: "the prompt was secret" } }, status)

/** A whole answer of one choice. */
export const says = (message: object, finish_reason = "stop"): Act =>
  sends({
    choices: [{ index: 0, message: { role: "assistant", ...message }, finish_reason }],
    usage: { prompt_tokens: 3, completion_tokens: 5 }
  })

/** A stream of these chunks. */
export const streams = (...chunks: ReadonlyArray<unknown>): Act => ({
  type: "text/event-stream",
  body: chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join("")
})
export const delta = (delta: object, finish_reason: string | null = null, index: number | null = 0) => ({
  choices: [{ index, delta, finish_reason }]
})
export const stop = delta({}, "stop")

/** What is looked at of a request. */
export interface Asked extends Readonly<Record<string, unknown>> {
  readonly response_format?: {
    readonly type: string
    readonly json_schema?: Readonly<Record<string, unknown>>
  }
}

/** A chat model of two tiers over an upstream that keeps to a script, one act a call and the last for ever. */
export const scripted = (
  scripts: { readonly large: ReadonlyArray<Act>; readonly small?: ReadonlyArray<Act> },
  tier: Partial<ChatModel.Options["tiers"][0]> = {}
) => {
  const asked: Array<Asked> = []
  const calls = { large: 0, small: 0 }
  const upstream: Upstream.Upstream = {
    send: ({ body = new Uint8Array() }) =>
      Effect.gen(function* () {
        const json = JSON.parse(new TextDecoder().decode(body))
        asked.push(json)
        const model = json.model === "large" ? "large" : "small"
        const script = scripts[model] ?? []
        const act = script[Math.min(calls[model]++, script.length - 1)] ?? fails(404)
        if (act.after !== undefined) yield* Effect.sleep(act.after)
        const broken = Stream.fail(new Upstream.TransportError({ reason: "connection", code: "ECONNRESET" }))
        return yield* Upstream.respond({
          status: act.status ?? 200,
          headers: { "content-type": act.type ?? "application/json" },
          body: Stream.concat(Stream.make(bytes(act.body)), act.breaks ? broken : Stream.empty)
        })
      })
  }
  const provider = OpenAiCompatible.make({ name: "up", baseUrl: "http://up.example/v1", upstream })
  const retry = { times: 0 }
  const chat = ChatModel.make({
    tiers: [
      { name: "primary", provider, model: "large", retry, ...tier },
      { name: "standby", provider, model: "small", retry }
    ]
  })
  return { asked, calls, chat }
}

export const hi: ChatModel.Request = { messages: [{ role: "user", content: "Hi" }] }
