import { createServer, type Server as NetServer } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { exchange } from "../../../test/support/caller.ts"
import { refuseUnparsed } from "../src/internal/network/refusals.ts"

/** A server that refuses every connection for this error. */
const refusing = (code: string): Effect.Effect<string, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.async<NetServer>((resume) => {
      const server = createServer((socket) =>
        refuseUnparsed(Object.assign(new Error(), { code }), socket, undefined)
      )
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) => Effect.async<void>((resume) => void server.close(() => resume(Effect.void)))
  ).pipe(
    Effect.map((server) => {
      const address = server.address()
      return `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`
    })
  )

describe("what Node's parser gives up on", () => {
  // The first one would take a test a minute to bring about.
  it.scopedLive.each([
    ["ERR_HTTP_REQUEST_TIMEOUT", "408 Request Timeout", "request_timeout"],
    ["HPE_HEADER_OVERFLOW", "431 Request Header Fields Too Large", "headers_too_large"],
    ["HPE_CHUNK_EXTENSIONS_OVERFLOW", "413 Payload Too Large", "request_too_large"],
    ["HPE_INVALID_METHOD", "400 Bad Request", "malformed_request"]
  ] as const)("for %s is refused in OpenAI's envelope, and the connection ends", ([code, status, expected]) =>
    Effect.gen(function* () {
      const text = yield* exchange(yield* refusing(code), "x".repeat(200_000))
      const [head = "", body = ""] = text.split("\r\n\r\n")
      assert.isTrue(head.startsWith(`HTTP/1.1 ${status}\r\n`), head)
      assert.match(head, /^connection: close$/m)
      assert.match(head, /^x-should-retry: false$/m)
      assert.strictEqual(JSON.parse(body).error.code, expected)
    })
  )
})
