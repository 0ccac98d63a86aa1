import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as ProviderError from "../ProviderError.ts"

/** Reads a whole body; one larger than `maxBytes` is no answer to give anybody. */
export const collect = (
  stream: Stream.Stream<Uint8Array, ProviderError.ProviderError>,
  maxBytes: number
): Effect.Effect<Uint8Array, ProviderError.ProviderError> =>
  Effect.suspend(() => {
    const chunks: Array<Uint8Array> = []
    let length = 0
    return stream.pipe(
      Stream.runForEach((chunk) => {
        chunks.push(chunk)
        length += chunk.length
        return length > maxBytes ? Effect.fail(tooLarge) : Effect.void
      }),
      Effect.map(() => concat(chunks, length))
    )
  })

export const concat = (
  chunks: ReadonlyArray<Uint8Array>,
  length = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
): Uint8Array => {
  if (chunks.length === 1) return chunks[0] as Uint8Array
  const all = new Uint8Array(length)
  let offset = 0
  for (const chunk of chunks) {
    all.set(chunk, offset)
    offset += chunk.length
  }
  return all
}

const tooLarge = ProviderError.make({ kind: "invalid_answer" })
