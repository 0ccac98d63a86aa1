import type * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

/**
 * What comes next of a stream that has been opened: some elements, or `None` as its failure at the end. It is what
 * `Stream.toPull` gives, at a fraction of what a `Stream` costs where it is made and read by hand.
 *
 * @since 0.1.0
 * @category models
 */
export type Pull<A, E, R = never> = Effect.Effect<Chunk.Chunk<A>, Option.Option<E>, R>

/** A stream to be opened in a scope, and read until that closes. */
export type Opening<A, E, R> = Effect.Effect<Pull<A, E, R>, E, R | Scope.Scope>

/** Opens what `stream` gives when that is asked for. */
export const opening = <A, E, R>(stream: () => Stream.Stream<A, E, R>): Opening<A, E, R> =>
  Effect.suspend(() => Stream.toPull(stream()))
