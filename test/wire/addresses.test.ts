import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ask } from "../support/caller.ts"
import { chat, gateway } from "../support/gateway.ts"
import { type Resolved, resolving } from "../support/names.ts"
import { wall } from "../support/wall.ts"

const once = "retry: { times: 0 }"
const named = (url: string) => url.replace("127.0.0.1", "up.example")

// Nobody listens there.
const dead = ["127.0.0.9", "::1"]

describe("an upstream by its name", () => {
  const reached: Readonly<Record<string, ReadonlyArray<string>>> = {
    "that has one address": ["127.0.0.1"],
    "whose first address is dead": ["::1", "127.0.0.1"],
    "whose second address is dead": ["127.0.0.1", "::1"],
    "whose first addresses are dead": [...dead, "127.0.0.1"]
  }
  for (const [name, addresses] of Object.entries(reached)) {
    it.scopedLive(`${name} is reached, and asked once`, () =>
      Effect.gen(function* () {
        yield* resolving({ "up.example": addresses })
        const [first, second] = [yield* wall, yield* wall]
        const { url } = yield* gateway(chat([named(first.url), second.url], { tier: once }))
        const served = yield* ask(url)
        assert.deepStrictEqual([served.status, served.headers["x-understudy-tier"]], [200, "tier1"])
        assert.deepStrictEqual([first.received.length, first.connections()], [1, 1])
        assert.match(first.received[0]?.headers.host ?? "", /^up\.example:\d+$/)
      })
    )
  }

  it.scopedLive("that IPv6 alone leads to is reached, and so is an address in place of a name", () =>
    Effect.gen(function* () {
      // The IPv4 loopback in IPv6's words, for not every machine has one of its own there.
      yield* resolving({ "up.example": ["::ffff:127.0.0.1"] })
      const only = yield* wall
      for (const url of [named(only.url), only.url.replace("127.0.0.1", "[::ffff:127.0.0.1]")]) {
        const served = yield* ask((yield* gateway(chat([url], { tier: once }))).url)
        assert.strictEqual(served.status, 200)
      }
      assert.strictEqual(only.received.length, 2)
    })
  )

  const lost: Readonly<Record<string, Resolved>> = {
    "that nobody has": "ENOTFOUND",
    "that cannot be looked up now": "EAI_AGAIN",
    "all of whose addresses are dead": dead
  }
  for (const [name, resolved] of Object.entries(lost)) {
    it.scopedLive(`${name}: the next tier answers, and the breaker counts it`, () =>
      Effect.gen(function* () {
        yield* resolving({ "up.example": resolved })
        const [first, second] = [yield* wall, yield* wall]
        const tier = `${once}, breaker: { consecutive: 2, openFor: 1h }`
        const running = yield* gateway(chat([named(first.url), second.url], { tier }))
        for (const attempts of ["2", "2", "1"]) {
          const served = yield* ask(running.url)
          assert.deepStrictEqual(
            [served.status, served.headers["x-understudy-tier"], served.headers["x-understudy-attempts"]],
            [200, "tier2", attempts]
          )
        }
        const [attempt] = running.log
        assert.deepStrictEqual([attempt?.["error_type"], attempt?.["status"]], ["connection", undefined])
        assert.notInclude(JSON.stringify(running.log), "up.example")
      })
    )
  }
})
