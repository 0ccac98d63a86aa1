import type { Transcript } from "@understudy/core/FallbackStream"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { ChatRequest } from "../../ChatCompletion.ts"
import type { Part } from "../../Provider.ts"
import * as ProviderError from "../../ProviderError.ts"
import type { RouteTier } from "../../Route.ts"
import * as RawJson from "../bytes/rawJson.ts"
import * as Utf8 from "../bytes/utf8.ts"
import { readDelta } from "./delta.ts"
import { type Begun, eventsOf, follow, type Head } from "./follow.ts"
import type { Parts } from "./parts.ts"
import { takesPrefix } from "./prefill.ts"

/** What has been sent of an answer that consists of text only. */
interface Said {
  readonly text: string
  readonly head: Head | undefined
}

// Far more than a model's answer.
const maxTextLength = 1024 * 1024

/** An answer cannot be continued if it has ended, contains more than the text of one choice, or is too long. */
export const transcript: Transcript<Part, Said> = {
  empty: { text: "", head: undefined },
  add: (said, part) => {
    let { head, text } = said
    for (const { data } of eventsOf(part)) {
      if (data === undefined) continue
      const delta = readDelta(data)
      if (delta === undefined || delta.thinks || delta.more || delta.ends) return undefined
      text += delta.text
      // Some servers' first chunk has no choice and no id.
      if (delta.text !== "") head ??= headOf(data)
    }
    return text.length > maxTextLength ? undefined : { text, head }
  }
}

const headOf = (data: string): Head => {
  const chunk = RawJson.members(Utf8.encode(data))
  return ["id", "created", "model"].map((name) => [name, RawJson.written(chunk.get(name))])
}

/** Whether a tier is to `prefill`, but its provider cannot continue a prefix. */
export const answersAnew = ({ continue: way, provider }: Tier): boolean =>
  way === "prefill" && provider.prefill === undefined

type Tier = Pick<RouteTier, "continue" | "provider">

type Opening = Effect.Effect<Parts, ProviderError.ProviderError, Scope.Scope>

/** The rest of an answer that broke off, from this tier. */
export const goOn = (
  { continue: way, provider }: Tier,
  { head = [], text }: Said,
  request: ChatRequest,
  ask: (request: ChatRequest) => Opening
): Opening => {
  const follows = (opening: Opening, begun: Begun): Opening =>
    Effect.mapBoth(opening, {
      onSuccess: (parts) => Effect.mapError(follow(parts, begun, head), Option.map(notTheCallers)),
      onFailure: notTheCallers
    })
  if (way === "restart") return follows(ask(request), { must: text, may: "" })
  // A model would emit its own white space after it, and some servers reject trailing white space.
  const prefix = text.trimEnd()
  if (prefix === "" || !takesPrefix(request)) return ProviderError.make({ kind: "unsupported" })
  return follows(ask({ ...request, prefix }), {
    must: provider.prefill === "whole" ? prefix : "",
    may: text.slice(prefix.length)
  })
}

/** The first tier accepted the request, so a rejection now is caused by the way we continue it. */
const notTheCallers = (error: ProviderError.ProviderError): ProviderError.ProviderError =>
  error.kind === "invalid_request" ? ProviderError.make({ ...error, kind: "unsupported" }) : error
