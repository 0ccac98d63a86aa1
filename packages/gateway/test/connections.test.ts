import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { rawWall } from "../../../test/support/rawWall.ts"
import * as Connections from "../src/internal/network/connections.ts"

describe("connections", () => {
  it.scopedLive("one that is not there in time is given up", () =>
    Effect.gen(function* () {
      const silent = yield* rawWall
      const connections = yield* Effect.acquireRelease(
        Effect.sync(() => Connections.make(50)),
        (connections) => Effect.sync(connections.destroy)
      )
      // The handshake belongs to it, and never begins.
      const connection = connections.take(new URL(silent.url).origin.replace("http:", "https:"))
      const error = yield* Effect.flip(
        Effect.async<unknown, Error & { readonly code?: string }>((resume) =>
          connection.dispatch(
            { path: "/", method: "GET" },
            {
              onRequestStart: () => {},
              onResponseError: (_, error) => resume(Effect.fail(error))
            }
          )
        )
      )
      assert.strictEqual(error.code, "UND_ERR_CONNECT_TIMEOUT")
    })
  )

  it.scopedLive("one that is there in time is kept, however long its answer takes", () =>
    Effect.gen(function* () {
      const silent = yield* rawWall
      const connections = yield* Effect.acquireRelease(
        Effect.sync(() => Connections.make(50)),
        (connections) => Effect.sync(connections.destroy)
      )
      const connection = connections.take(new URL(silent.url).origin)
      const failure = Effect.async<never, Error>((resume) =>
        connection.dispatch(
          { path: "/", method: "GET" },
          {
            onRequestStart: () => {},
            onResponseError: (_, error) => resume(Effect.fail(error))
          }
        )
      )
      assert.isTrue(Option.isNone(yield* Effect.timeoutOption(failure, "200 millis")))
    })
  )
})
