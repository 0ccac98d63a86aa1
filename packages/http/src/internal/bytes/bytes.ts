import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

/** Reads a whole body piece by piece, at most `maxBytes` of it. */
export const collect = <E, E2 = never, R = never>(
  read: Effect.Effect<Uint8Array | undefined, E, R>,
  maxBytes = Number.POSITIVE_INFINITY,
  tooLarge: Effect.Effect<never, E2> = Effect.never
): Effect.Effect<Uint8Array, E | E2, R> =>
  Effect.suspend(() => {
    const chunks: Array<Uint8Array> = []
    let length = 0
    const rest: Effect.Effect<Uint8Array, E | E2, R> = Effect.flatMap(read, (chunk) => {
      if (chunk === undefined) return Effect.succeed(concat(chunks, length))
      chunks.push(chunk)
      length += chunk.length
      return length > maxBytes ? tooLarge : rest
    })
    return rest
  })

/** Opens a stream to be read piece by piece: the next bytes, and `undefined` after the last. */
export const reading = <E, R>(
  stream: Stream.Stream<Uint8Array, E, R>
): Effect.Effect<Effect.Effect<Uint8Array | undefined, E, R>, never, Scope.Scope | R> =>
  Effect.map(Stream.toPull(stream), (pull) => {
    let pulled = Chunk.empty<Uint8Array>()
    const next: Effect.Effect<Uint8Array | undefined, E, R> = Effect.suspend(() => {
      const [first] = pulled
      if (first === undefined) return more
      pulled = Chunk.drop(pulled, 1)
      return Effect.succeed(first)
    })
    const more = Effect.matchEffect(pull, {
      onSuccess: (chunks) => {
        pulled = chunks
        return next
      },
      onFailure: Option.match({ onNone: () => Effect.succeed(undefined), onSome: Effect.fail })
    })
    return next
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
