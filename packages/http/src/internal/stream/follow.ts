import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Part } from "../../Provider.ts"
import * as ProviderError from "../../ProviderError.ts"
import * as Sse from "../../Sse.ts"
import { concat } from "../bytes/bytes.ts"
import * as Json from "../bytes/json.ts"
import * as RawJson from "../bytes/rawJson.ts"
import * as Utf8 from "../bytes/utf8.ts"
import { readDelta } from "./delta.ts"
import type { Parts } from "./parts.ts"

/** The metadata of every chunk of an answer, from its first chunk. */
export type Head = ReadonlyArray<readonly [name: string, value: RawJson.Text | undefined]>

/** The events of a part, which are complete. */
export const eventsOf = ({ bytes }: Part): ReadonlyArray<Sse.Event> => {
  const reader = Sse.make({ maxEventBytes: bytes.length + 1 })
  return [...reader.push(bytes), ...reader.end()]
}

/**
 * The part of an answer that continues another one, with the other's metadata. It has to begin with `must`, optionally
 * followed by as much of `may` as it repeats; both are removed, and so is everything else before new text. If it begins
 * otherwise, or ends sooner, it has diverged and fails.
 */
export const follow = (parts: Parts, { may, must }: Begun, head: Head): Parts => {
  let left = must + may
  let begun = false
  return mapEvents(parts, ({ data, raw }) => {
    if (data === undefined) return begun ? raw : leftOut
    if (begun) return isChunk(data) ? Sse.data(underHead(data, head)) : raw
    const delta = readDelta(data)
    if (delta === undefined) return diverged
    const common = commonLength(left, delta.text)
    left = left.slice(common)
    if (common === delta.text.length && !delta.more && !delta.ends) return leftOut
    if (left.length > may.length) return diverged
    begun = true
    return Sse.data(underHead(common === 0 ? data : without(data, common), head))
  })
}

export interface Begun {
  readonly must: string
  readonly may: string
}

const diverged = ProviderError.make({ kind: "stream_diverged" })

const leftOut = "leftOut"

/** The result of an event: its bytes, nothing, or the end. */
type Step = (event: Sse.Event) => Uint8Array | typeof leftOut | ProviderError.ProviderError

const mapEvents = (parts: Parts, step: Step): Parts => {
  const next: Parts = Effect.flatMap(parts, (chunk) => {
    const changed: Array<Part> = []
    for (const part of chunk) {
      const kept: Array<Uint8Array> = []
      for (const event of eventsOf(part)) {
        const bytes = step(event)
        if (bytes === leftOut) continue
        if (!(bytes instanceof Uint8Array)) return Effect.fail(Option.some(bytes))
        kept.push(bytes)
      }
      if (kept.length > 0) changed.push({ ...part, bytes: concat(kept) })
    }
    // Skips a part of which nothing is left.
    return changed.length === 0 ? next : Effect.succeed(Chunk.unsafeFromArray(changed))
  })
  return next
}

/** `[DONE]` is none. */
const isChunk = (data: string): boolean => Json.asObject(Json.parse(data)) !== undefined

const commonLength = (one: string, other: string): number => {
  let length = 0
  while (length < one.length && one[length] === other[length]) length++
  return length
}

/** The chunk without the beginning of its text, and without its per-token data. */
const without = (data: string, length: number): string => {
  const chunk = RawJson.update(Utf8.encode(data), [...choice, "delta", "content"], (content) =>
    // If the key is duplicated, the other value may be anything.
    Utf8.encode(JSON.stringify((Json.asText(RawJson.read(content)) ?? "").slice(length)))
  )
  return Utf8.decode(RawJson.update(chunk, [...choice, "logprobs"], () => Utf8.encode("null")))
}

/** Removes the role, which was sent already, and marks the usage, which lacks that of the earlier tiers. */
const underHead = (data: string, head: Head): string => {
  const chunk = RawJson.withMembers(Utf8.encode(data), head)
  const roleless = RawJson.update(chunk, [...choice, "delta"], (delta) =>
    RawJson.withMembers(delta, [["role", undefined]])
  )
  return Utf8.decode(
    RawJson.update(roleless, ["usage"], (usage) => RawJson.withMembers(usage, [["incomplete", "true"]]))
  )
}

const choice = ["choices", 0] as const
