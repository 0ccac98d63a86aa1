import { assert, describe, it } from "@effect/vitest"
import * as Upstream from "@understudy/http/Upstream"
import { Effect, Exit, Fiber, type Scope } from "effect"
import { eventually } from "../../../test/support/eventually.ts"
import { rawWall } from "../../../test/support/rawWall.ts"
import { bytes, nowhere } from "../../../test/support/socket.ts"
import { answer, type Behaviour, reset, sends, silence, type Wall, wall } from "../../../test/support/wall.ts"
import * as Server from "../src/Server.ts"

const post = (url: string) => ({
  method: "POST" as const,
  url: `${url}/chat/completions?a=1`,
  headers: { "x-mine": "1" },
  body: new TextEncoder().encode('{"model":"m"}')
})

/** Sends one request and gives all of the answer, in a scope of its own. */
const fetched = (url: string) =>
  Effect.gen(function* () {
    const { send } = yield* Server.upstream
    return yield* Effect.scoped(
      Effect.gen(function* () {
        const { read, ...rest } = yield* send(post(url))
        return { ...rest, body: Buffer.from(yield* Upstream.whole({ read })).toString() }
      })
    )
  })

/** One exchange after the other; the next may come a moment before a connection is free, but not always. */
const untilShared = <E>(only: Wall, exchange: Effect.Effect<unknown, E, Scope.Scope>) =>
  Effect.gen(function* () {
    const shares = () => only.connections() < only.received.length
    for (let round = 0; round < 100 && !shares(); round++) yield* Effect.scoped(exchange)
    assert.isTrue(shares())
  })

describe("Server.upstream", () => {
  it.scopedLive("sends what it is given and asks for no coding, and gives back what comes", () =>
    Effect.gen(function* () {
      const only = yield* wall
      only.script(bytes("HTTP/1.1 418 I'm a teapot\r\nX-A: 1\r\nx-a: 2\r\ncontent-length: 2\r\n\r\nhi"))
      assert.deepStrictEqual(yield* fetched(only.url), {
        status: 418,
        headers: { "x-a": "1, 2", "content-length": "2" },
        body: "hi"
      })
      const [received] = only.received
      assert.deepStrictEqual([received?.method, received?.path], ["POST", "/v1/chat/completions?a=1"])
      const names = Object.keys(received?.headers ?? {})
      assert.sameMembers(names, ["host", "connection", "accept-encoding", "x-mine", "content-length"])
    })
  )

  const length9 = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhi"
  const failures: Readonly<Record<string, readonly [Behaviour, string | undefined]>> = {
    "is reset before a byte": [reset, "UND_ERR_SOCKET"],
    "is closed before a byte": [bytes("", "close"), "UND_ERR_SOCKET"],
    "is no HTTP": [bytes("nonsense\r\n\r\n", "close"), undefined],
    "is closed before its length": [bytes(length9, "close"), "UND_ERR_SOCKET"],
    "is reset in its body": [bytes(length9, "reset"), "ECONNRESET"]
  }
  for (const [name, [behaviour, code]] of Object.entries(failures)) {
    it.scopedLive(`a connection that ${name} fails`, () =>
      Effect.gen(function* () {
        const only = yield* wall
        only.script(behaviour)
        const error = yield* Effect.flip(fetched(only.url))
        assert.deepStrictEqual([error.reason, error.code], ["connection", code])
      })
    )
  }

  it.scopedLive("nobody listening, and no TLS where it was to be, are told apart", () =>
    Effect.gen(function* () {
      const refused = yield* Effect.flip(fetched(yield* nowhere))
      assert.deepStrictEqual([refused.reason, refused.code], ["connection", "ECONNREFUSED"])
      const plain = yield* Effect.flip(fetched((yield* wall).url.replace("http:", "https:")))
      assert.strictEqual(plain.reason, "tls")
    })
  )

  it.scopedLive("a host with several addresses is reached at the one that answers", () =>
    Effect.gen(function* () {
      const only = yield* wall
      assert.strictEqual((yield* fetched(only.url.replace("127.0.0.1", "localhost"))).status, 200)
    })
  )

  const interruptions: Readonly<Record<string, Behaviour>> = {
    "before the head": silence,
    "in the body": bytes(length9, "stall")
  }
  for (const [name, behaviour] of Object.entries(interruptions)) {
    it.scopedLive(`given up ${name}, it closes the connection`, () =>
      Effect.gen(function* () {
        const only = yield* wall
        only.script(behaviour)
        const fiber = yield* Effect.fork(fetched(only.url))
        yield* eventually(() => only.received.length === 1)
        assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(fiber)))
        yield* eventually(() => only.received[0]?.abandoned === true)
      })
    )
  }

  it.scopedLive("one given up leaves no connection, and opens none in its place", () =>
    Effect.gen(function* () {
      const silent = yield* rawWall
      const { send } = yield* Server.upstream
      const fiber = yield* Effect.fork(Effect.scoped(send(post(silent.url))))
      yield* eventually(() => silent.requests() === 1)
      yield* Fiber.interrupt(fiber)
      yield* eventually(() => silent.open() === 0)
      // Another exchange takes longer than it would have taken to connect again.
      yield* fetched((yield* wall).url)
      assert.strictEqual(silent.connections(), 1)
    })
  )

  it.scopedLive("one given up while it connects stops connecting", () =>
    Effect.gen(function* () {
      const silent = yield* rawWall
      const { send } = yield* Server.upstream
      const handshake = send(post(silent.url.replace("http:", "https:")))
      const fiber = yield* Effect.fork(Effect.scoped(handshake))
      yield* eventually(() => silent.open() === 1)
      yield* Fiber.interrupt(fiber)
      yield* eventually(() => silent.open() === 0)
      assert.strictEqual(silent.connections(), 1)
    })
  )

  it.scopedLive("left before the end of an answer, it closes the connection on failure", () =>
    Effect.gen(function* () {
      const only = yield* wall
      const { send } = yield* Server.upstream
      only.script((response) => void response.write("begun"))
      const failing = Effect.flatMap(send(post(only.url)), ({ read }) =>
        Effect.zipRight(read, Effect.fail("no"))
      )
      yield* Effect.exit(Effect.scoped(failing))
      yield* eventually(() => only.received[0]?.abandoned === true)
    })
  )

  it.scopedLive("what nobody reads stays with the upstream, and comes when it is read", () =>
    Effect.gen(function* () {
      const piece = new Uint8Array(1_000_000)
      const pieces = 64
      const only = yield* wall
      let sent = 0
      only.script((response) => {
        const more = (): void => {
          if (sent++ === pieces) response.end()
          else if (response.write(piece)) setImmediate(more)
          else response.once("drain", more)
        }
        more()
      })
      const { send } = yield* Server.upstream
      const { read } = yield* send(post(only.url))
      const first = yield* read
      // Long enough for all of it to come from this very machine.
      yield* Effect.sleep("500 millis")
      assert.isBelow(sent, pieces)
      const rest = yield* Upstream.whole({ read })
      assert.strictEqual((first?.length ?? 0) + rest.length, pieces * piece.length)
    })
  )

  it.scopedLive("on success it reads to the end, so that another request can have the connection", () =>
    Effect.gen(function* () {
      const only = yield* wall
      const { send } = yield* Server.upstream
      let end = () => {}
      only.script((response) => {
        response.write("begun")
        end = () => void response.end("ended")
      })
      const succeeding = Effect.flatMap(send(post(only.url)), ({ read }) =>
        Effect.zipRight(read, Effect.sync(end))
      )
      yield* untilShared(only, succeeding)
    })
  )

  it.scopedLive("an end that does not come is not waited for", () =>
    Effect.gen(function* () {
      const only = yield* wall
      const { send } = yield* Server.upstream
      only.script((response) => void response.write("begun"))
      yield* Effect.scoped(Effect.flatMap(send(post(only.url)), ({ read }) => read))
      yield* eventually(() => only.received[0]?.abandoned === true)
    })
  )

  it.scopedLive("requests that follow one another share connections", () =>
    Effect.gen(function* () {
      const only = yield* wall
      only.script(answer(), sends(503, "text/plain", "busy"), answer())
      const { send } = yield* Server.upstream
      yield* untilShared(only, Effect.flatMap(send(post(only.url)), Upstream.whole))
    })
  )
})
