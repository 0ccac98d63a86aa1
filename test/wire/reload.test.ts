import { writeFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ask, call, chatBody, envelope, get, statusOf } from "../support/caller.ts"
import { eventually } from "../support/eventually.ts"
import { chat, gateway } from "../support/gateway.ts"
import { command, program } from "../support/program.ts"
import { answer, content, fails, finish, held, role, silence, wall } from "../support/wall.ts"

const streamed = { body: chatBody({ stream: true }) }

const touchy = "retry: { times: 0 }, breaker: { consecutive: 1, openFor: 1h }"

describe("a file that is served in place of another", () => {
  it.scopedLive("has the next request; a run under way ends as it began, and then its connections", () =>
    Effect.gen(function* () {
      const [before, after] = [yield* wall, yield* wall]
      const { behaviour, end, send } = held()
      before.script(answer(), behaviour)
      const { log, reload, url } = yield* gateway(chat([before.url]))
      yield* ask(url)
      const { answer: answered, text } = yield* call(url, streamed)
      yield* eventually(() => before.received.length === 2)
      send(role, content("Hel"))
      yield* eventually(() => text().includes("Hel"))
      assert.deepStrictEqual(yield* reload(chat([after.url])), [])
      assert.strictEqual((yield* ask(url)).status, 200)
      assert.deepStrictEqual([before.received.length, after.received.length], [2, 1])
      assert.isAbove(before.sockets(), 0)
      send(content("lo"), finish)
      end()
      assert.isTrue((yield* answered).text.endsWith("data: [DONE]\n\n"))
      yield* eventually(() => before.sockets() === 0)
      const outcomes = log.filter(({ message }) => message === "run").map((line) => line["outcome"])
      assert.deepStrictEqual(outcomes, ["success", "success", "success"])
    })
  )

  it.scopedLive("does so with a run that is still between its tiers", () =>
    Effect.gen(function* () {
      const [first, second, after] = [yield* wall, yield* wall, yield* wall]
      let fail = () => {}
      first.script((response) => {
        fail = () => response.writeHead(500).end()
      })
      const running = yield* gateway(chat([first.url, second.url], { tier: "retry: { times: 0 }" }))
      const { answer: answered } = yield* call(running.url)
      yield* eventually(() => first.received.length === 1)
      yield* running.reload(chat([after.url]))
      fail()
      assert.strictEqual((yield* answered).headers["x-understudy-tier"], "tier2")
      yield* eventually(() => first.sockets() + second.sockets() === 0)
    })
  )

  it.scopedLive("leaves the breaker of a tier as it was, unless the tier is another one now", () =>
    Effect.gen(function* () {
      const [first, second] = [yield* wall, yield* wall]
      first.script(fails(503), answer())
      const yaml = chat([first.url, second.url], { tier: touchy })
      const { reload, url } = yield* gateway(yaml)
      const servedBy = Effect.map(ask(url), ({ headers }) => headers["x-understudy-tier"])
      assert.strictEqual(yield* servedBy, "tier2")
      const same = [
        yaml,
        yaml.replace("sk-upstream-2", "sk-other"),
        yaml.replace("model1, ", "model1, timeout: 9s, "),
        `${yaml}\n  other: { tiers: [{ name: tier1, provider: provider1, model: model1 }] }`
      ]
      for (const next of same) {
        yield* reload(next)
        assert.strictEqual(yield* servedBy, "tier2")
      }
      const { text } = yield* get(url, "/metrics")
      const states = text.match(/^understudy_breaker_state\{.*$/gm) ?? []
      assert.deepStrictEqual(states.sort(), [
        'understudy_breaker_state{route="chat",tier="tier1"} 2',
        'understudy_breaker_state{route="chat",tier="tier2"} 0',
        'understudy_breaker_state{route="other",tier="tier1"} 0'
      ])
      assert.strictEqual(first.received.length, 1)
      const others = [
        yaml.replace("sk-upstream-1", "sk-other"),
        yaml.replace("model1,", "model3,"),
        yaml.replace("tier1", "tier3"),
        yaml.replace("consecutive: 1", "consecutive: 2")
      ]
      for (const next of others) {
        yield* reload(yaml)
        first.script(fails(503))
        while ((yield* servedBy) !== "tier2");
        first.script(answer())
        yield* reload(next)
        assert.notStrictEqual(yield* servedBy, "tier2")
      }
    })
  )

  it.scopedLive(
    "leaves no breaker open that is there no more, whether its tier has another one or is gone",
    () =>
      Effect.gen(function* () {
        const [first, second] = [yield* wall, yield* wall]
        first.script(fails(503))
        const yaml = chat([first.url, second.url], { tier: touchy })
        const { log, reload, url } = yield* gateway(yaml)
        const changes = () =>
          log
            .filter(({ message }) => message === "breaker")
            .map(({ from, reason, request_id, to }) => [from, to, reason, request_id !== undefined])
        const series = (name: string) =>
          Effect.map(get(url, "/metrics"), ({ text }) =>
            (text.match(new RegExp(`^${name}\\{.*tier="tier1".*$`, "gm")) ?? []).sort()
          )
        yield* ask(url)
        yield* reload(yaml.replace("model1,", "model3,"))
        assert.deepStrictEqual(changes(), [
          ["closed", "open", "consecutive", true],
          ["open", "closed", "retired", false]
        ])
        const { breaker } = (yield* statusOf(url)).routes[0]!.tiers[0]!
        assert.deepStrictEqual([breaker.state, breaker.reason], ["closed", "retired"])
        assert.deepStrictEqual(yield* series("understudy_breaker_state"), [
          'understudy_breaker_state{route="chat",tier="tier1"} 0'
        ])
        yield* ask(url)
        yield* reload(chat([second.url]).replaceAll("1", "2"))
        assert.deepStrictEqual(changes().slice(2), [
          ["closed", "open", "consecutive", true],
          ["open", "closed", "retired", false]
        ])
        assert.deepStrictEqual(yield* series("understudy_breaker_state"), [])
        const labels = 'route="chat",tier="tier1"'
        assert.deepStrictEqual(yield* series("understudy_breaker_transitions_total"), [
          `understudy_breaker_transitions_total{${labels},from="closed",to="open",reason="consecutive"} 2`,
          `understudy_breaker_transitions_total{${labels},from="open",to="closed",reason="retired"} 2`
        ])
      })
  )

  it.scopedLive("hears nothing of a breaker that only a run of before still asks", () =>
    Effect.gen(function* () {
      const [first, second] = [yield* wall, yield* wall]
      let fail = () => {}
      first.script((response) => {
        fail = () => response.writeHead(500).end()
      })
      const yaml = chat([first.url, second.url], { tier: touchy })
      const { log, reload, url } = yield* gateway(yaml)
      const { answer: answered } = yield* call(url)
      yield* eventually(() => first.received.length === 1)
      yield* reload(yaml.replace("model1,", "model3,"))
      fail()
      assert.strictEqual((yield* answered).headers["x-understudy-tier"], "tier2")
      assert.deepStrictEqual(
        log.map(({ message }) => message),
        ["attempt", "attempt", "run"]
      )
      const { breaker } = (yield* statusOf(url)).routes[0]!.tiers[0]!
      assert.deepStrictEqual([breaker.state, breaker.since], ["closed", null])
    })
  )

  it.scopedLive(
    "that is wrong changes nothing, and the status says what is wrong until a good one comes",
    () =>
      Effect.gen(function* () {
        const only = yield* wall
        const yaml = chat([only.url])
        const { reload, url } = yield* gateway(yaml)
        const before = yield* statusOf(url)
        assert.isNull(before.policy.refused)
        const error = yield* Effect.flip(reload(yaml.replace("model: model1", "modle: model1")))
        assert.match(error.message, /^test\.yaml:\d+:\d+ routes\.chat\.tiers\[0\]\.modle: unknown key; /)
        assert.strictEqual((yield* ask(url)).status, 200)
        const { policy } = yield* statusOf(url)
        assert.deepStrictEqual(
          [policy.loaded_at, policy.refused?.reason],
          [before.policy.loaded_at, error.message]
        )
        yield* reload(yaml.replace("  chat:", "  other:"))
        const after = yield* statusOf(url)
        assert.isNull(after.policy.refused)
        assert.deepStrictEqual(
          [after.routes.map(({ route }) => route), after.started_at],
          [["other"], before.started_at]
        )
        assert.strictEqual(envelope(yield* ask(url)).code, "model_not_found")
      })
  )

  it.scopedLive("admits other callers at once, keeps count of who is in, and says what needs a restart", () =>
    Effect.gen(function* () {
      const only = yield* wall
      only.script(silence)
      const server = "maxInFlight: 1, maxQueue: 0"
      const { reload, url } = yield* gateway(chat([only.url], { server: `${server}, apiKeys: [sk-1]` }))
      const by = (key: string) => ({ headers: { authorization: `Bearer ${key}` } })
      yield* call(url, by("sk-1"))
      yield* eventually(() => only.received.length === 1)
      const next = chat([only.url], { server: `${server}, apiKeys: [sk-2], maxBody: 1MB, stallTimeout: 5s` })
      assert.deepStrictEqual(yield* reload(next), ["server.maxBody", "server.stallTimeout"])
      assert.strictEqual((yield* ask(url, by("sk-1"))).status, 401)
      assert.strictEqual(envelope(yield* ask(url, by("sk-2"))).code, "overloaded")
      only.script(answer())
      yield* reload(next.replace("maxInFlight: 1", "maxInFlight: 2"))
      assert.strictEqual((yield* ask(url, by("sk-2"))).status, 200)
    })
  )

  it.scopedLive("again and again, under load: every request has its whole answer", () =>
    Effect.gen(function* () {
      const walls = [yield* wall, yield* wall]
      const { log, reload, url } = yield* gateway(chat([walls[0]!.url]))
      const callers = yield* Effect.fork(
        Effect.forEach(Array.from({ length: 200 }), (_, n) => ask(url, n % 2 === 0 ? {} : streamed), {
          concurrency: 10
        })
      )
      for (let n = 1; callers.unsafePoll() === null; n++) {
        yield* reload(chat([walls[n % 2]!.url]))
        yield* Effect.sleep("5 millis")
      }
      for (const { status, text, whole } of yield* callers) {
        assert.deepStrictEqual([status, whole], [200, true])
        assert.match(text, /Hello.* there/s)
      }
      assert.strictEqual(log.filter((line) => line["outcome"] === "success").length, 400)
      assert.strictEqual(walls[0]!.received.length + walls[1]!.received.length, 200)
    })
  )
})

describe("the program", () => {
  const timeout = 60_000
  for (const [how, args] of [
    ["on SIGHUP", []],
    ["with --watch when its file changes", ["--watch"]]
  ] as const) {
    it.scopedLive(
      `${how} serves the file anew, and an invalid one not`,
      () =>
        Effect.gen(function* () {
          const only = yield* wall
          const yaml = chat([only.url])
          const { file, lines, signal, stop, url } = yield* program(yaml, {}, args)
          const reloads = () => lines.filter(({ message }) => message === "reload")
          const change = (text: string) => {
            writeFileSync(file, text)
            if (args.length === 0) signal("SIGHUP")
          }
          change(yaml.replace("  chat:", "  other:").replace("drain: 1s", "drain: 2s"))
          yield* eventually(() => reloads().length === 1)
          assert.include(reloads()[0], { level: "WARN", outcome: "success", needs_restart: "server.drain" })
          assert.strictEqual((yield* ask(url, { body: chatBody({ model: "other" }) })).status, 200)
          change("providers: {")
          yield* eventually(() => reloads().length === 2)
          assert.include(reloads()[1], { level: "ERROR", outcome: "failure" })
          assert.match(String(reloads()[1]?.["reason"]), new RegExp(`^${file}:\\d+:\\d+: .+; .+$`))
          assert.strictEqual((yield* ask(url, { body: chatBody({ model: "other" }) })).status, 200)
          assert.strictEqual(yield* Effect.promise(() => stop()), 0)
        }),
      timeout
    )
  }

  it.scopedLive(
    "on a SIGHUP that comes while it is still being loaded serves the file anew once it listens",
    () =>
      Effect.gen(function* () {
        const only = yield* wall
        const { lines, stop } = yield* program(chat([only.url]), { NODE_OPTIONS: `--import ${hangsUp}` })
        yield* eventually(() => lines.length === 2)
        assert.deepStrictEqual(
          lines.map(({ message }) => message),
          ["listening", "reload"]
        )
        assert.strictEqual(yield* Effect.promise(() => stop()), 0)
      }),
    timeout
  )

  it.live(
    "ends on SIGHUP where its command reads no file anew",
    () =>
      Effect.gen(function* () {
        const { code, stdout } = yield* command(["check"], { NODE_OPTIONS: `--import ${hangsUp}` })
        assert.deepStrictEqual([code, stdout], [null, ""])
      }),
    timeout
  )
})

/** Sends the process SIGHUP as soon as Effect, and with it the first of what it imports, is there. */
const hangsUp = `data:text/javascript,${encodeURIComponent(`
  Object.defineProperty(globalThis, "effect/GlobalValue", {
    configurable: true,
    set(value) {
      Object.defineProperty(globalThis, "effect/GlobalValue", { value })
      process.kill(process.pid, "SIGHUP")
    }
  })
`)}`
