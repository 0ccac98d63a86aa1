/**
 * The gateway's own API keys, which decide who may call it.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Utf8 from "./internal/bytes/utf8.ts"

/**
 * Decides who may call.
 *
 * @since 0.1.0
 * @category models
 */
export interface Callers {
  /** Whether this `Authorization` header contains a known key. */
  readonly admits: (authorization: string | undefined) => Effect.Effect<boolean>
}

/**
 * Admits everybody, for a gateway that only this machine can reach.
 *
 * @example
 * import { Effect } from "effect"
 * import { Callers } from "@understudy/http"
 *
 * console.log(Effect.runSync(Callers.anyone.admits(undefined))) // => true
 *
 * @since 0.1.0
 * @category constructors
 */
export const anyone: Callers = { admits: () => Effect.succeed(true) }

/**
 * Admits the bearers of these keys. Only their SHA-256 digests are kept, and they are compared in constant time.
 *
 * @example
 * import { Effect, Redacted } from "effect"
 * import { Callers } from "@understudy/http"
 *
 * const program = Effect.flatMap(Callers.fromKeys([Redacted.make("sk-1")]), ({ admits }) =>
 *   Effect.all([admits("Bearer sk-1"), admits("Bearer sk-2"), admits("Basic sk-1"), admits(undefined)])
 * )
 *
 * console.log(await Effect.runPromise(program)) // => [ true, false, false, false ]
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromKeys = (keys: ReadonlyArray<Redacted.Redacted>): Effect.Effect<Callers> =>
  Effect.map(
    Effect.forEach(keys, (key) => digest(Redacted.value(key))),
    (known): Callers => ({
      admits: (authorization) => {
        const bearer = authorization === undefined ? null : /^bearer +(\S+) *$/i.exec(authorization)
        if (bearer === null) return Effect.succeed(false)
        return Effect.map(digest(bearer[1] as string), (presented) => {
          let found = false
          for (const key of known) found = same(key, presented) || found
          return found
        })
      }
    })
  )

const digest = (key: string): Effect.Effect<Uint8Array> =>
  Effect.map(
    Effect.promise(() => crypto.subtle.digest("SHA-256", Utf8.encode(key))),
    (buffer) => new Uint8Array(buffer)
  )

const same = (a: Uint8Array, b: Uint8Array): boolean => {
  let difference = a.length ^ b.length
  for (let i = 0; i < a.length; i++) difference |= (a[i] as number) ^ (b[i] ?? 0)
  return difference === 0
}
