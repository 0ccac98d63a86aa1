import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Turn } from "../../Sandbox.ts"
import * as Sse from "../../Sse.ts"
import { type respond, TransportError } from "../../Upstream.ts"
import * as Json from "../bytes/json.ts"
import * as Utf8 from "../bytes/utf8.ts"

/** The argument of `respond`. */
export type Said = Parameters<typeof respond>[0]

interface Head {
  readonly id: string
  readonly created: number
  readonly model: string
}

/** An answer that breaks off. */
interface Broken {
  readonly after: number
  readonly breaks: NonNullable<Turn["breaks"]>
}

interface Words {
  readonly said: ReadonlyArray<string>
  /** One token per word, and eight for any request. */
  readonly usage: object
}

/** All words of the answer, or those that follow the prefix. */
export const wordsOf = (model: string, prefix: string): Words => {
  const given = words(prefix).length
  const said = words(`The show goes on: this is ${model}, reading the part.`).slice(given)
  const [prompt_tokens, completion_tokens] = [8 + given, said.length]
  return {
    said,
    usage: { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens }
  }
}

const words = (text: string): ReadonlyArray<string> => text.match(/\S+\s*/g) ?? []

export const whole = (head: Head, { said, usage }: Words, broken: Broken | undefined): Said => {
  const body = {
    ...head,
    object: "chat.completion",
    choices: [
      {
        index: 0,
        message: { role: "assistant", content: said.join(""), refusal: null },
        logprobs: null,
        finish_reason: "stop"
      }
    ],
    usage
  }
  if (broken === undefined) return json(200, body)
  if (broken.breaks === "error") return json(200, error({}))
  const bytes = Utf8.encode(JSON.stringify(body))
  const share = Math.min(1, broken.after / said.length)
  const begun = Stream.make(bytes.subarray(0, Math.floor((bytes.length - 1) * share)))
  return { ...json(200, body), body: Stream.concat(begun, rest(broken)) }
}

export const streamed = (
  head: Head,
  { said, usage }: Words,
  options: { readonly chunkEvery: Duration.Duration; readonly includeUsage: boolean },
  broken: Broken | undefined
): Said => {
  const { chunkEvery, includeUsage } = options
  const event = (choices: ReadonlyArray<object>, usage: object | null = null) =>
    Sse.data(
      JSON.stringify({
        ...head,
        object: "chat.completion.chunk",
        choices,
        ...(includeUsage && { usage })
      })
    )
  const chunk = (delta: object, finish_reason: string | null = null) =>
    event([{ index: 0, delta, logprobs: null, finish_reason }])
  const end = [chunk({}, "stop"), ...(includeUsage ? [event([], usage)] : []), Sse.done]
  const content = Stream.fromIterable(said.slice(0, broken?.after)).pipe(
    Stream.mapEffect((word) => Effect.as(Effect.sleep(chunkEvery), chunk({ content: word })))
  )
  return {
    status: 200,
    headers: { "content-type": "text/event-stream" },
    body: Stream.make(chunk({ role: "assistant", content: "" })).pipe(
      Stream.concat(content),
      Stream.concat(broken === undefined ? Stream.fromIterable(end) : rest(broken))
    )
  }
}

/** Whether the caller asked for the stream's usage. */
export const asksForUsage = (body: Uint8Array): boolean => {
  const request = Json.asObject<"stream_options">(Json.parse(Utf8.decode(body)))
  return Json.asObject<"include_usage">(request?.stream_options)?.include_usage === true
}

/** Equal texts have equal vectors, of length 1. */
export const embeddings = (model: string, body: Uint8Array): Said => {
  const request = Json.asObject<"input" | "encoding_format">(Json.parse(Utf8.decode(body)))
  const { encoding_format, input } = request ?? {}
  const inputs: ReadonlyArray<unknown> =
    Array.isArray(input) && typeof input[0] !== "number" ? input : [input]
  const data = inputs.map((text, index) => {
    const vector = vectorOf(JSON.stringify(text) ?? "")
    const embedding =
      encoding_format === "base64" ? btoa(String.fromCharCode(...new Uint8Array(vector.buffer))) : [...vector]
    return { object: "embedding", index, embedding }
  })
  const tokens = 8 * inputs.length
  return json(200, { object: "list", data, model, usage: { prompt_tokens: tokens, total_tokens: tokens } })
}

const vectorOf = (text: string): Float32Array => {
  const sums = new Float32Array(8).fill(1)
  for (let i = 0; i < text.length; i++) sums[i % 8]! += text.charCodeAt(i) % 97
  const length = Math.hypot(...sums)
  return sums.map((sum) => sum / length)
}

const rest = ({ breaks }: Broken): Stream.Stream<Uint8Array, TransportError> => {
  switch (breaks) {
    case "hang":
      return Stream.never
    case "reset":
      return Stream.fail(new TransportError({ reason: "connection", code: "ECONNRESET" }))
    case "end":
      return Stream.empty
    case "error":
      return Stream.make(Sse.data(JSON.stringify(error({}))))
  }
}

export const failure = ({
  code,
  retryAfter,
  status
}: Pick<Turn, "code" | "retryAfter"> & { readonly status: number }): Said => {
  const response = json(status, error({ code }))
  if (retryAfter === undefined) return response
  const wait = { "retry-after": String(Duration.toSeconds(retryAfter)) }
  return { ...response, headers: { ...response.headers, ...wait } }
}

export const html: Said = {
  status: 200,
  headers: { "content-type": "text/html" },
  body: Utf8.encode("<html><body>The sandbox talks nonsense, as it is told.</body></html>")
}

const error = ({ code = null }: { readonly code?: string | null | undefined }) => ({
  error: { message: "The sandbox fails as it is told.", type: "sandbox_error", param: null, code }
})

const json = (status: number, body: object): Said => ({
  status,
  headers: { "content-type": "application/json" },
  body: Utf8.encode(JSON.stringify(body))
})
