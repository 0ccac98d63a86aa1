import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import type { Part } from "../../Provider.ts"
import * as ProviderError from "../../ProviderError.ts"
import * as Sse from "../../Sse.ts"
import type { Response, TransportError } from "../../Upstream.ts"
import { concat } from "../bytes/bytes.ts"
import * as Utf8 from "../bytes/utf8.ts"
import { answered, type Facts } from "../provider/genAi.ts"
import { endSoon } from "./grace.ts"
import type { Parts } from "./parts.ts"

/** Reads the events of one answer, and tells when the model has finished it. */
export interface ChatReader {
  readonly read: (event: Sse.Event) => Read
  /** Whether the model has finished all choices that it has begun. */
  readonly isWhole: () => boolean
  /** Whether it has finished all choices that were requested, so that nothing more can come. */
  readonly hasAll: () => boolean
  /** What is known of the answer so far. */
  readonly facts: () => Facts
}

export type Piece = { readonly _tag: "Part" } & Part

/** The result of reading one event. */
export type Read =
  | Piece
  | { readonly _tag: "Nothing" }
  | { readonly _tag: "Malformed" }
  /** The upstream's own end marker; `last` is emitted before the end. */
  | { readonly _tag: "End"; readonly last: Part | undefined }
  | { readonly _tag: "ErrorEvent"; readonly body: string }

export const part = (bytes: Uint8Array, content = false, usage: Part["usage"] = undefined): Piece => ({
  _tag: "Part",
  bytes,
  content,
  usage
})

export const nothing: Read = { _tag: "Nothing" }

export const malformed = { _tag: "Malformed" } as const satisfies Read

/**
 * A streamed answer as parts of complete events, which ends with `[DONE]` if and only if the model finished it.
 * Malformed events are left out and counted.
 */
export const chatStream = (
  read: Response["read"],
  reader: ChatReader,
  errors: {
    readonly inTransport: (error: TransportError) => ProviderError.ProviderError
    readonly inEvent: (body: string) => Effect.Effect<never, ProviderError.ProviderError>
  }
): Effect.Effect<Parts, never, Scope.Scope> =>
  Effect.suspend(() => {
    const steps = makeSteps(reader)
    // What follows the parts emitted so far.
    let then: Parts | undefined

    const given = (all: ReadonlyArray<Step>): Parts => {
      const parts: Array<Part> = []
      for (const step of all) {
        if (step._tag === "Part") {
          parts.push(step)
          continue
        }
        if (step._tag === "Finished") parts.push(finished)
        then = ends(step)
        break
      }
      return parts.length === 0 ? next : Effect.succeed(Chunk.unsafeFromArray(parts))
    }

    const ends = (step: Exclude<Step, Piece>): Parts => {
      switch (step._tag) {
        case "Finished":
          return Effect.fail(Option.none())
        case "Failed":
          return Effect.fail(Option.some(step.error))
        case "ErrorEvent":
          return Effect.mapError(errors.inEvent(step.body), Option.some)
      }
    }

    const more = (read: Response["read"]): Parts =>
      Effect.matchEffect(read, {
        onSuccess: (chunk) => given(chunk === undefined ? steps.end() : steps.push(chunk)),
        // If the connection breaks after the model has finished, the answer is still complete. Of one that has begun
        // fewer choices than were asked for nobody knows.
        onFailure: (error) =>
          reader.hasAll() ? given(steps.end()) : Effect.fail(Option.some(errors.inTransport(error)))
      })
    const inItsTime = more(read)
    const soon = more(endSoon(read))
    const next: Parts = Effect.suspend(() => then ?? (reader.hasAll() ? soon : inItsTime))

    const told = Effect.suspend(() =>
      Effect.zipRight(
        answered(reader.facts()),
        steps.malformed === 0
          ? Effect.void
          : Effect.annotateCurrentSpan("understudy.stream.malformed_events", steps.malformed)
      )
    )
    // Not `addFinalizer`, which captures all of the fiber's `FiberRef`s at several times the cost.
    return Effect.withFiberRuntime(({ currentContext }) => {
      const context = currentContext as Context.Context<Scope.Scope>
      return Effect.as(
        Scope.addFinalizer(Context.get(context, Scope.Scope), Effect.provide(told, context)),
        next
      )
    })
  })

const finished: Part = { bytes: Sse.done, content: false, usage: undefined }

type Step =
  | Piece
  | { readonly _tag: "Finished" }
  | { readonly _tag: "Failed"; readonly error: ProviderError.ProviderError }
  | { readonly _tag: "ErrorEvent"; readonly body: string }

// More than any upstream sends before its content.
const maxPreambleBytes = 1024 * 1024

const makeSteps = (reader: ChatReader) => {
  const events = Sse.make()
  // Everything before the first content is held back, since another tier may still have to answer.
  let preambleBytes = 0
  const steps = {
    malformed: 0,
    push: (chunk: Uint8Array): ReadonlyArray<Step> => read(() => events.push(chunk)),
    end: (): ReadonlyArray<Step> => [...read(() => events.end().flatMap(closed)), end()]
  }

  const end = (): Step => (reader.isWhole() ? { _tag: "Finished" } : truncated)

  const read = (next: () => ReadonlyArray<Sse.Event>): ReadonlyArray<Step> => {
    const pieces: Array<Uint8Array> = []
    let content = false
    let usage: Part["usage"]
    const add = (part: Part): void => {
      pieces.push(part.bytes)
      content ||= part.content
      usage = part.usage ?? usage
    }
    const parts = (): ReadonlyArray<Step> => {
      if (pieces.length === 0) return []
      const bytes = concat(pieces)
      preambleBytes = content ? Number.NEGATIVE_INFINITY : preambleBytes + bytes.length
      return preambleBytes > maxPreambleBytes ? [tooLong] : [part(bytes, content, usage)]
    }
    let blocks: ReadonlyArray<Sse.Event>
    try {
      blocks = next()
    } catch (error) {
      if (!(error instanceof Sse.SseTooLarge)) throw error
      return [tooLong]
    }
    for (const block of blocks) {
      const event = reader.read(block)
      switch (event._tag) {
        case "Part":
          add(event)
          break
        case "Nothing":
          break
        case "Malformed":
          steps.malformed++
          break
        case "End":
          if (event.last !== undefined) add(event.last)
          return [...parts(), end()]
        case "ErrorEvent":
          return [...parts(), event]
      }
    }
    return parts()
  }

  return steps
}

const blankLine = Utf8.encode("\n\n")

/** Completes the event in which a stream broke off. Otherwise what follows would become part of it. */
const closed = (event: Sse.Event): ReadonlyArray<Sse.Event> =>
  event.data === undefined ? [] : [{ ...event, raw: concat([event.raw, blankLine]) }]

const tooLong: Step = { _tag: "Failed", error: ProviderError.make({ kind: "stream_error" }) }
const truncated: Step = { _tag: "Failed", error: ProviderError.make({ kind: "stream_truncated" }) }
