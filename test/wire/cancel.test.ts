import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ask, call, chatBody } from "../support/caller.ts"
import { eventually } from "../support/eventually.ts"
import { chat, gateway, type Running } from "../support/gateway.ts"
import { bytes } from "../support/socket.ts"
import {
  answer,
  type Behaviour,
  content,
  fails,
  role,
  silence,
  stream,
  type Wall,
  wall
} from "../support/wall.ts"

// One failure would open it: that it stays closed shows that nothing was counted.
const touchy = "retry: { times: 2, base: 1ms }, breaker: { consecutive: 1, openFor: 1h }"

const streamed = { body: chatBody({ stream: true }) }

/** What must be true after a caller has left while an upstream was working. */
const nothingLeft = (running: Running, first: Wall, second: Wall) =>
  Effect.gen(function* () {
    yield* eventually(() => first.received[0]?.abandoned === true)
    yield* eventually(() => running.log.some(({ message }) => message === "run"))
    assert.deepStrictEqual(
      running.log.map((line) => [line.message, line.level, line["outcome"], line["error_type"]]),
      [
        ["attempt", "INFO", "interrupted", "interrupted"],
        ["run", "INFO", "cancelled", "interrupted"]
      ]
    )
    assert.strictEqual(running.log[1]?.["attempts"], 1)
    // The run is over, so this is final; and the next caller finds tier 1 as healthy as before.
    assert.deepStrictEqual([first.received.length, second.received.length], [1, 0])
    first.script(answer())
    assert.strictEqual((yield* ask(running.url)).headers["x-understudy-tier"], "tier1")
  })

/** Shows when the first bytes of the answer have gone out. */
const noting = (behaviour: Behaviour) => {
  const seen = { begun: () => false }
  const noted: Behaviour = (response, received) => {
    const { bytesWritten } = response.socket!
    seen.begun = () => (response.socket?.bytesWritten ?? 0) > bytesWritten
    behaviour(response, received)
  }
  return { seen, noted }
}

describe("a caller that leaves", () => {
  for (const [kind, options] of [
    ["an answer", {}],
    ["a stream", streamed]
  ] as const) {
    it.scopedLive(`before the headers of ${kind} closes the upstream's connection`, () =>
      Effect.gen(function* () {
        const [first, second] = [yield* wall, yield* wall]
        first.script(silence)
        const running = yield* gateway(chat([first.url, second.url], { tier: touchy }))
        const { leave } = yield* call(running.url, options)
        yield* eventually(() => first.received.length === 1)
        leave()
        yield* nothingLeft(running, first, second)
      })
    )
  }

  it.scopedLive("in the middle of a whole answer does so too", () =>
    Effect.gen(function* () {
      const [first, second] = [yield* wall, yield* wall]
      const { noted, seen } = noting(
        bytes('HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"choices"', "stall")
      )
      first.script(noted)
      const running = yield* gateway(chat([first.url, second.url], { tier: touchy }))
      const { leave } = yield* call(running.url)
      yield* eventually(() => seen.begun())
      leave()
      yield* nothingLeft(running, first, second)
    })
  )

  it.scopedLive("before the first content of a stream does so too", () =>
    Effect.gen(function* () {
      const [first, second] = [yield* wall, yield* wall]
      const { noted, seen } = noting(stream([role], "stall"))
      first.script(noted)
      const running = yield* gateway(chat([first.url, second.url], { tier: touchy }))
      const { head, leave } = yield* call(running.url, streamed)
      yield* eventually(() => seen.begun())
      assert.isUndefined(head())
      leave()
      yield* nothingLeft(running, first, second)
    })
  )

  it.scopedLive("in the middle of a stream does so too", () =>
    Effect.gen(function* () {
      const [first, second] = [yield* wall, yield* wall]
      first.script(stream([role, content("Hel")], "stall"))
      const running = yield* gateway(chat([first.url, second.url], { tier: touchy }))
      const { leave, text } = yield* call(running.url, streamed)
      yield* eventually(() => text().includes("Hel"))
      leave()
      yield* nothingLeft(running, first, second)
    })
  )

  it.scopedLive("while an endless stream flows does so too", () =>
    Effect.gen(function* () {
      const [first, second] = [yield* wall, yield* wall]
      first.script(stream([role, ...Array.from({ length: 100_000 }, () => content("la "))], "stall"))
      const running = yield* gateway(chat([first.url, second.url], { tier: touchy }))
      const { leave, text } = yield* call(running.url, streamed)
      yield* eventually(() => text().split("la ").length > 10)
      leave()
      yield* nothingLeft(running, first, second)
    })
  )

  it.scopedLive("in a wait between two attempts ends the run there", () =>
    Effect.gen(function* () {
      const [first, second] = [yield* wall, yield* wall]
      first.script(fails(503))
      const running = yield* gateway(
        chat([first.url, second.url], {
          route: "deadline: 3h",
          tier: "timeout: 2h, retry: { times: 2, base: 1h, max: 1h, jitter: none }"
        })
      )
      const { leave } = yield* call(running.url)
      yield* eventually(() => running.log.length === 1)
      leave()
      yield* eventually(() => running.log.length === 2)
      assert.deepStrictEqual(
        running.log.map((line) => [line.message, line["outcome"], line["error_type"]]),
        [
          ["attempt", "failure", "overloaded"],
          ["run", "cancelled", "interrupted"]
        ]
      )
      assert.deepStrictEqual([first.received.length, second.received.length], [1, 0])
    })
  )

  it.scopedLive("on a probe gives the probe back: the next caller makes it", () =>
    Effect.gen(function* () {
      const [first, second] = [yield* wall, yield* wall]
      first.script(fails(503), silence, answer())
      const running = yield* gateway(
        chat([first.url, second.url], {
          tier: "retry: { times: 0 }, breaker: { consecutive: 1, openFor: 1ms, jitter: 0 }"
        })
      )
      yield* ask(running.url)
      const openAt = performance.now()
      yield* eventually(() => performance.now() > openAt + 1)
      const { leave } = yield* call(running.url)
      yield* eventually(() => first.received.length === 2)
      // While one probe is under way the tier is closed to everybody else.
      assert.strictEqual((yield* ask(running.url)).headers["x-understudy-tier"], "tier2")
      leave()
      yield* eventually(() => running.log.some((line) => line["outcome"] === "cancelled"))
      assert.strictEqual((yield* ask(running.url)).headers["x-understudy-tier"], "tier1")
    })
  )

  it.scopedLive("one of two that wait for the same tier takes nothing from the other", () =>
    Effect.gen(function* () {
      const only = yield* wall
      let release = () => {}
      only.script(silence, (response, received) => {
        release = () => answer()(response, received)
      })
      const { url } = yield* gateway(chat([only.url], { tier: touchy }))
      const leaves = yield* call(url)
      yield* eventually(() => only.received.length === 1)
      const stays = yield* call(url)
      yield* eventually(() => only.received.length === 2)
      leaves.leave()
      yield* eventually(() => only.received[0]?.abandoned === true)
      release()
      const { status, whole } = yield* stays.answer
      assert.deepStrictEqual([status, whole], [200, true])
    })
  )
})
