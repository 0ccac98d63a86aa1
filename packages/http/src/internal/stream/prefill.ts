import type { ChatRequest } from "../../ChatCompletion.ts"
import type { Prefill } from "../../Quirks.ts"
import * as Json from "../bytes/json.ts"
import * as RawJson from "../bytes/rawJson.ts"
import * as Utf8 from "../bytes/utf8.ts"

/** The body of a request, with the prefix as its final message, as the server expects it. */
export const bodyOf = (
  { body, prefix }: ChatRequest,
  { message, request }: Omit<Prefill, "answer"> = {}
): Uint8Array => {
  if (prefix === undefined) return body
  const said = JSON.stringify({ role: "assistant", content: prefix, ...message })
  const begun = RawJson.update(body, ["messages"], (messages) => RawJson.append(messages, said))
  return RawJson.withMembers(
    begun,
    Object.entries(request ?? {}).map(([name, value]) => [name, RawJson.text(value)])
  )
}

/**
 * Whether a model could continue a final assistant message: not if the caller's request ends with one itself, and not
 * for structured output, which servers enforce from the start of their own answer.
 */
export const takesPrefix = ({ body }: ChatRequest): boolean => {
  const request = Json.asObject<"messages" | Form>(Json.parse(Utf8.decode(body)))
  const last = lastMessage(request)
  return last !== undefined && last.role !== "assistant" && !forms.some((form) => isAsked(request?.[form]))
}

/** The text of a request's final message, if it is the assistant's. */
export const prefixIn = (body: Uint8Array): string => {
  const last = lastMessage(Json.asObject<"messages">(Json.parse(Utf8.decode(body))))
  return last?.role === "assistant" && typeof last.content === "string" ? last.content : ""
}

const lastMessage = (request: Json.Loose<"messages"> | undefined) =>
  Array.isArray(request?.messages) ? Json.asObject<"role" | "content">(request.messages.at(-1)) : undefined

// OpenAI's parameters, and vLLM's own.
const forms = [
  "response_format",
  "structured_outputs",
  "guided_json",
  "guided_regex",
  "guided_choice",
  "guided_grammar"
] as const

type Form = (typeof forms)[number]

const isAsked = (form: unknown): boolean => Json.isGiven(form) && Json.asObject<"type">(form)?.type !== "text"
