import { connect } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import type { Handler, Response } from "@understudy/http/OpenAiRouter"
import { respond } from "@understudy/http/Upstream"
import { Cause, Duration, Effect, Fiber, Stream } from "effect"
import { ask, call, exchange, get } from "../../../test/support/caller.ts"
import { eventually } from "../../../test/support/eventually.ts"
import * as Server from "../src/Server.ts"

const text = (body: string) => new TextEncoder().encode(body)

const ok = (body: Response["body"], headers: Record<string, string> = {}): Response => ({
  status: 200,
  headers: { "content-type": "text/plain", ...headers },
  body
})

/** A body that comes piece by piece. */
const read = (body: Stream.Stream<Uint8Array>) =>
  Effect.map(respond({ status: 200, headers: {}, body }), ({ read }) => Effect.orDie(read))

const serve = (handler: Handler, options: Partial<Parameters<typeof Server.serve>[0]> = {}) =>
  Server.serve({
    handler,
    host: "127.0.0.1",
    port: 0,
    maxBody: 1000,
    stallTimeout: Duration.minutes(1),
    drain: Duration.seconds(1),
    ...options
  })

/** A handler that notes when its scope opens and closes. */
const traced =
  (log: Array<string>, handler: Handler): Handler =>
  (request) =>
    Effect.zipRight(
      Effect.acquireRelease(
        Effect.sync(() => log.push("open")),
        (_, exit) => Effect.sync(() => log.push(`close ${exit._tag}`))
      ),
      handler(request)
    )

describe("Server.serve", () => {
  it.scopedLive(
    "gives the handler the request as it stands on the wire, names of headers in lower case",
    () =>
      Effect.gen(function* () {
        const { url } = yield* serve(({ body, headers, method, path }) =>
          Effect.map(Effect.orDie(body), (bytes) =>
            ok(
              text(
                JSON.stringify({
                  method,
                  path,
                  mine: headers["x-mine"],
                  body: Buffer.from(bytes).toString("hex")
                })
              )
            )
          )
        )
        const served = yield* ask(url, {
          path: "/a%2Fb//c?d=%zz",
          headers: { "X-MINE": "1" },
          body: Buffer.from([0, 255, 128])
        })
        assert.deepStrictEqual(JSON.parse(served.text), {
          method: "POST",
          path: "/a%2Fb//c?d=%zz",
          mine: "1",
          body: "00ff80"
        })
      })
  )

  it.scopedLive("gives the path of a target that names the host as well, and that host", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(({ headers, path }) =>
        Effect.succeed(ok(text(`${headers["host"]} ${path}`)))
      )
      for (const [target, seen] of [
        ["http://here:80/v1/models?a=http://b", "here:80 /v1/models?a=http://b"],
        ["HTTP://here", "here /"],
        ["http://here?a", "here /?a"],
        ["*", "localhost *"]
      ]) {
        const asked = `OPTIONS ${target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`
        assert.strictEqual((yield* exchange(url, asked)).split("\r\n\r\n")[1], seen)
      }
    })
  )

  it.scopedLive("keeps the handler's scope open until the body is sent, and no longer", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const body = Stream.make("a", "b", "c").pipe(
        Stream.map(text),
        Stream.tap(() => Effect.sync(() => log.push("piece")))
      )
      const { url } = yield* serve(traced(log, () => Effect.map(read(body), ok)))
      const served = yield* ask(url)
      assert.deepStrictEqual([served.text, served.whole], ["abc", true])
      yield* eventually(() => log.length === 5)
      assert.deepStrictEqual(log, ["open", "piece", "piece", "piece", "close Success"])
    })
  )

  it.scopedLive("closes it when the caller leaves", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const { url } = yield* serve(traced(log, () => Effect.never))
      const { leave } = yield* call(url)
      yield* eventually(() => log.length === 1)
      leave()
      yield* eventually(() => log.length === 2)
      assert.deepStrictEqual(log, ["open", "close Failure"])
    })
  )

  const broken: Readonly<Record<string, Handler>> = {
    "a handler that dies": () => Effect.die("bug"),
    "a handler that throws": () => {
      throw new Error("bug")
    },
    "a body that dies at once": () => Effect.map(read(Stream.die("bug")), ok),
    "a body that dies on its way": () =>
      Effect.map(read(Stream.concat(Stream.make(text("a")), Stream.die("bug"))), ok),
    "a header that HTTP does not allow": () =>
      Effect.succeed(ok(text("a"), { "x-a": "1\r\nset-cookie: a=b" })),
    "a status that HTTP does not know": () => Effect.succeed({ ...ok(text("a")), status: 7 })
  }
  for (const [name, handler] of Object.entries(broken)) {
    it.scopedLive(`${name}: the connection breaks, the server goes on, and tells of it`, () =>
      Effect.gen(function* () {
        const defects: Array<unknown> = []
        const { url } = yield* serve(
          (request) =>
            request.path === "/good"
              ? Effect.succeed(ok(text("good")))
              : Effect.suspend(() => handler(request)),
          { onDefect: (cause) => void defects.push(...Cause.defects(cause)) }
        )
        const cut = yield* ask(url)
        assert.isFalse(cut.whole)
        assert.isUndefined(cut.headers["set-cookie"])
        assert.strictEqual((yield* get(url, "/good")).text, "good")
        assert.lengthOf(defects, 1)
      })
    )
  }

  it.scopedLive("answers HEAD with the head alone", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(() => Effect.succeed(ok(text("good"))))
      const { headers, text: body, whole } = yield* ask(url, { method: "HEAD", path: "/" })
      assert.deepStrictEqual([headers["content-length"], body, whole], ["4", "", true])
    })
  )

  it.scopedLive("keeps the connection of a request that has no body, answered at once", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(() => Effect.succeed(ok(text("good"))))
      const socket = connect(Number(new URL(url).port), "127.0.0.1")
      yield* Effect.addFinalizer(() => Effect.sync(() => socket.destroy()))
      let said = ""
      socket.on("data", (chunk) => {
        said += chunk
      })
      for (const answers of [1, 2, 3]) {
        socket.write("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
        yield* eventually(() => said.split("good").length - 1 === answers)
      }
      assert.notMatch(said, /connection: close/i)
    })
  )

  it.scopedLive(
    "closes a connection that has lain idle for keepAlive, and none whose answer takes longer",
    () =>
      Effect.gen(function* () {
        const [stallTimeout, keepAlive] = [Duration.millis(100), Duration.millis(50)]
        // One that is read at once, and one that is not.
        for (const body of [text("good"), new Uint8Array(10_000_000)]) {
          const slow = Effect.as(Effect.sleep("200 millis"), ok(body))
          const { url } = yield* serve(() => slow, { stallTimeout, keepAlive })
          const socket = connect(Number(new URL(url).port), "127.0.0.1")
          yield* Effect.addFinalizer(() => Effect.sync(() => socket.destroy()))
          let size = 0
          socket.on("data", (chunk) => {
            size += chunk.length
          })
          socket.write("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
          yield* eventually(() => socket.closed)
          assert.isAbove(size, body.length)
        }
      })
  )

  it.scopedLive(
    "a connection that had to be waited for may be quiet afterwards for longer than stallTimeout",
    () =>
      Effect.gen(function* () {
        const [large, pause] = [new Uint8Array(10_000_000).fill(97), Effect.sleep("800 millis")]
        const { url } = yield* serve(
          ({ path }) =>
            path === "/whole"
              ? Effect.succeed(ok(large))
              : path === "/quiet"
                ? Effect.as(pause, ok(text("good")))
                : Effect.map(
                    read(
                      Stream.concat(Stream.make(large), Stream.fromEffect(Effect.as(pause, text("better"))))
                    ),
                    ok
                  ),
          { stallTimeout: Duration.millis(200) }
        )
        const socket = connect(Number(new URL(url).port), "127.0.0.1")
        yield* Effect.addFinalizer(() => Effect.sync(() => socket.destroy()))
        let said = ""
        socket.on("data", (chunk) => {
          said += String(chunk).replaceAll("a", "")
        })
        // All at once: after an answer, Node waits for a next request with another timeout.
        for (const path of ["whole", "quiet", "stream"])
          socket.write(`GET /${path} HTTP/1.1\r\nhost: me\r\n\r\n`)
        yield* eventually(() => said.includes("good"))
        yield* eventually(() => /better\r\n0\r\n\r\n$/s.test(said))
      })
  )

  it.scopedLive("one body too many for the limit fails with BodyTooLarge; nobody has to read it", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(({ body, path }) =>
        path === "/unread"
          ? Effect.succeed(ok(text("unread")))
          : Effect.match(body, {
              onFailure: (error) => ok(text(error.message)),
              onSuccess: (bytes) => ok(text(String(bytes.length)))
            })
      )
      assert.strictEqual((yield* ask(url, { body: "x".repeat(1000) })).text, "1000")
      const { headers, text: said } = yield* ask(url, { body: "x".repeat(1001) })
      assert.deepStrictEqual([said, headers["connection"]], ["the body is larger than 1000 bytes", "close"])
      assert.strictEqual((yield* ask(url, { path: "/unread", body: "x".repeat(500_000) })).text, "unread")
    })
  )

  it.scopedLive("nobody of a thousand who come at once has to come again", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(() => Effect.never)
      const port = Number(new URL(url).port)
      // Who was not heard tries again after a second, of which a loop that has nothing to do makes many turns.
      let turns = 0
      let longest = 0
      let open = 0
      const sockets = yield* Effect.acquireRelease(
        Effect.sync(() => Array.from({ length: 1000 }, () => connect(port, "127.0.0.1"))),
        (sockets) => Effect.sync(() => sockets.forEach((socket) => void socket.destroy()))
      )
      for (const socket of sockets) {
        socket.on("connect", () => {
          open++
          longest = Math.max(longest, turns)
          turns = 0
        })
      }
      while (open < sockets.length) {
        yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
        turns++
      }
      assert.isBelow(longest, 1000)
    })
  )

  it.scopedLive("one that cannot listen says where and why", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(() => Effect.succeed(ok(text(""))))
      const port = Number(new URL(url).port)
      const taken = yield* Effect.flip(Effect.scoped(serve(() => Effect.never, { port })))
      assert.deepStrictEqual([taken.code, taken.port], ["EADDRINUSE", port])
      assert.strictEqual(
        taken.message,
        `cannot listen on 127.0.0.1:${port}: another program listens there; choose another server.port`
      )
      const elsewhere = yield* Effect.flip(Effect.scoped(serve(() => Effect.never, { host: "192.0.2.1" })))
      assert.strictEqual(
        elsewhere.message,
        "cannot listen on 192.0.2.1:0: this machine has no such address; choose another server.host"
      )
    })
  )

  it.live("stops accepting, waits for drain at most, and leaves no connection behind", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const stop = yield* Effect.fork(
        Effect.scoped(
          Effect.gen(function* () {
            const { url } = yield* serve(
              traced(log, () => Effect.never),
              { drain: Duration.millis(20) }
            )
            yield* Effect.forkDaemon(ask(url))
            const socket = connect(Number(new URL(url).port), "127.0.0.1")
            socket.on("close", () => log.push("idle one closed"))
            yield* eventually(() => log.length === 1)
            return url
          })
        )
      )
      const url = yield* Fiber.join(stop)
      assert.strictEqual((yield* ask(url)).status, 0)
      yield* eventually(() => log.length === 3)
      assert.sameMembers(log, ["open", "close Failure", "idle one closed"])
    })
  )
})
