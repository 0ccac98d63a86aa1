import type * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

/**
 * The next elements of an open stream, or a failure with `None` at its end, as in `Stream.toPull`. Pulling by hand
 * costs a fraction of a composed `Stream`.
 *
 * @since 0.1.0
 * @category models
 */
export type Pull<A, E, R = never> = Effect.Effect<Chunk.Chunk<A>, Option.Option<E>, R>

/** A stream to be opened in a scope, and read until that closes. */
export type Opening<A, E, R> = Effect.Effect<Pull<A, E, R>, E, R | Scope.Scope>

/** Opens a lazily created stream. */
export const opening = <A, E, R>(stream: () => Stream.Stream<A, E, R>): Opening<A, E, R> =>
  Effect.suspend(() => Stream.toPull(stream()))
