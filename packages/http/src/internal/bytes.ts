import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

/** Reads a whole body; of one larger than `maxBytes` no more than that. */
export const collect = <E, E2>(
  stream: Stream.Stream<Uint8Array, E>,
  maxBytes: number,
  tooLarge: E2
): Effect.Effect<Uint8Array, E | E2> =>
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
