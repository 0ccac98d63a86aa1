import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { readChunk, type Usage } from "../ChatCompletion.ts"
import type { Part } from "../Provider.ts"
import * as ProviderError from "../ProviderError.ts"
import * as Sse from "../Sse.ts"
import { concat } from "./bytes.ts"

/**
 * A streamed answer as parts of whole events, in the upstream's own bytes, ending with `[DONE]` if and only if the
 * model finished every choice it had begun. Malformed events are left out.
 */
export const chatStream = (
  body: Stream.Stream<Uint8Array, ProviderError.ProviderError>,
  errorIn: (body: string) => Effect.Effect<never, ProviderError.ProviderError>
): Stream.Stream<Part, ProviderError.ProviderError> =>
  Stream.suspend(() => {
    const reader = makeReader()
    return body.pipe(
      Stream.mapConcat((chunk) => reader.push(chunk)),
      // A connection that breaks after the model has finished takes nothing away from its answer.
      Stream.catchAll((error) => (reader.isWhole() ? Stream.empty : Stream.fail(error))),
      Stream.concat(Stream.suspend(() => Stream.fromIterable(reader.end()))),
      Stream.takeUntil((step) => step._tag !== "Part"),
      Stream.mapEffect((step): Effect.Effect<Part, ProviderError.ProviderError> => {
        switch (step._tag) {
          case "Part":
            return Effect.succeed(step)
          case "Finished":
            return Effect.succeed({ bytes: Sse.done, content: false, usage: undefined })
          case "Failed":
            return Effect.fail(step.error)
          case "ErrorEvent":
            return errorIn(step.body)
        }
      }),
      Stream.ensuring(
        Effect.suspend(() =>
          reader.malformed === 0
            ? Effect.void
            : Effect.annotateCurrentSpan("understudy.stream.malformed_events", reader.malformed)
        )
      )
    )
  })

type Step =
  | ({ readonly _tag: "Part" } & Part)
  | { readonly _tag: "Finished" }
  | { readonly _tag: "Failed"; readonly error: ProviderError.ProviderError }
  | { readonly _tag: "ErrorEvent"; readonly body: string }

const makeReader = () => {
  const events = Sse.make()
  const begun = new Set<number>()
  const finished = new Set<number>()
  const reader = {
    malformed: 0,
    isWhole: (): boolean => begun.size > 0 && finished.size === begun.size,
    push: (chunk: Uint8Array): ReadonlyArray<Step> => read(() => events.push(chunk)),
    end: (): ReadonlyArray<Step> => [...read(() => events.end()), end()]
  }

  const end = (): Step =>
    reader.isWhole() ? { _tag: "Finished" } : { _tag: "Failed", error: failed("stream_truncated") }

  const read = (next: () => ReadonlyArray<Sse.Event>): ReadonlyArray<Step> => {
    const raws: Array<Uint8Array> = []
    let content = false
    let usage: Usage | undefined
    const part = (): ReadonlyArray<Step> =>
      raws.length === 0 ? [] : [{ _tag: "Part", bytes: concat(raws), content, usage }]
    let blocks: ReadonlyArray<Sse.Event>
    try {
      blocks = next()
    } catch (error) {
      if (!(error instanceof Sse.SseTooLarge)) throw error
      return [{ _tag: "Failed", error: failed("stream_error") }]
    }
    for (const { data, event, raw } of blocks) {
      if (data === undefined) {
        // Clients of OpenAI take a name without data for an event and fail on its empty data.
        if (event === "") raws.push(raw)
        continue
      }
      if (event === "error") return [...part(), { _tag: "ErrorEvent", body: data }]
      const chunk = readChunk(data)
      switch (chunk._tag) {
        case "Malformed":
          reader.malformed++
          break
        case "Done":
          return [...part(), end()]
        case "Error":
          return [...part(), { _tag: "ErrorEvent", body: chunk.body }]
        case "Delta":
          if (chunk.failed) return [...part(), { _tag: "ErrorEvent", body: data }]
          for (let index = 0; index < chunk.choices; index++) begun.add(index)
          for (const index of chunk.finished) finished.add(index)
          raws.push(raw)
          content ||= chunk.meaningful
          usage = chunk.usage ?? usage
      }
    }
    return part()
  }

  return reader
}

const failed = (kind: "stream_truncated" | "stream_error"): ProviderError.ProviderError =>
  ProviderError.make({ kind })
