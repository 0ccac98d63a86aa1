import { writeFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ask, call, chatBody, envelope, get, statusOf } from "../support/caller.ts"
import { eventually } from "../support/eventually.ts"
import { chat } from "../support/gateway.ts"
import { takenPort } from "../support/ports.ts"
import { command, fileOf, program } from "../support/program.ts"
import { answer, fails, silence, wall } from "../support/wall.ts"
import { sumOf, two, workersOf } from "../support/workers.ts"

const timeout = 60_000

describe("a gateway of two workers", () => {
  it.scopedLive(
    "has both of them serve, and whichever is asked says what both have counted",
    () =>
      Effect.gen(function* () {
        const [first, second] = [yield* wall, yield* wall]
        first.script(fails(503), answer())
        const tier = "retry: { times: 0 }, breaker: { consecutive: 1, openFor: 1h }"
        const { lines, url } = yield* program(chat([first.url, second.url], { tier }), {}, two)
        yield* Effect.replicateEffect(ask(url), 20)
        // Each keeps a connection of its own, the breaker of one is open, and that of the other is not.
        assert.strictEqual(first.sockets(), 2)
        const [asked, fellBack] = [first.received.length, second.received.length]
        assert.isAbove(asked, 1)
        for (const { text } of yield* Effect.replicateEffect(get(url, "/metrics"), 2)) {
          const histogram = "understudy_attempt_duration_seconds"
          assert.deepStrictEqual(
            [
              sumOf(text, 'understudy_attempts_total{route="chat",tier="tier1"'),
              sumOf(text, `${histogram}_count{route="chat",tier="tier1"`),
              sumOf(
                text,
                `${histogram}_bucket{route="chat",tier="tier1",model="model1",outcome="success",le="+Inf"`
              ),
              sumOf(text, 'understudy_attempts_total{route="chat",tier="tier2"'),
              sumOf(text, "understudy_fallbacks_total"),
              sumOf(text, "understudy_requests_total"),
              sumOf(text, 'understudy_breaker_state{route="chat",tier="tier1"}'),
              sumOf(text, 'understudy_breaker_state{route="chat",tier="tier2"}')
            ],
            [asked, asked, asked - 1, fellBack, fellBack, 20, 2, 0]
          )
        }
        for (const { attempts, models, routes } of yield* Effect.replicateEffect(statusOf(url), 2)) {
          const [tier1] = routes[0]?.tiers ?? []
          assert.deepStrictEqual([tier1?.breaker.state, tier1?.breaker.reason], ["open", "consecutive"])
          assert.deepStrictEqual(
            models.map(({ due, input_tokens, served }) => [due, served, input_tokens]),
            [
              [20, asked - 1, asked - 1],
              [fellBack, fellBack, fellBack]
            ]
          )
          assert.strictEqual(tier1?.recent.length, asked)
          assert.strictEqual(new Set(attempts.map((attempt) => attempt["request_id"])).size, 20)
          const at = attempts.map(({ timestamp }) => timestamp)
          assert.deepStrictEqual(at, at.toSorted().reverse())
        }
        const said = (message: string) => lines.filter((line) => line["message"] === message).length
        yield* eventually(() => said("run") === 20)
        assert.deepStrictEqual([said("listening"), said("attempt")], [1, asked + fellBack])
      }),
    timeout
  )

  it.scopedLive(
    "serves another file in all of them or in none, and in those that start later",
    () =>
      Effect.gen(function* () {
        const only = yield* wall
        const yaml = chat([only.url])
        const running = yield* program(yaml, {}, two)
        const { file, lines, signal, stop, url } = running
        const reloads = () => lines.filter(({ message }) => message === "reload")
        const change = (text: string) => {
          const before = reloads().length
          writeFileSync(file, text)
          signal("SIGHUP")
          return eventually(() => reloads().length === before + 1)
        }
        const statuses = (model: string) =>
          Effect.map(Effect.replicateEffect(ask(url, { body: chatBody({ model }) }), 4), (answers) =>
            answers.map(({ status }) => status)
          )
        yield* change("providers: {")
        assert.deepInclude(reloads()[0], { level: "ERROR", outcome: "failure" })
        assert.deepStrictEqual(yield* statuses("chat"), [200, 200, 200, 200])
        for (const { policy } of yield* Effect.replicateEffect(statusOf(url), 2)) {
          assert.strictEqual(policy.refused?.reason, reloads()[0]?.["reason"] as string)
        }
        yield* change(chat([only.url], { server: "maxInFlight: 1" }))
        assert.match(String(reloads()[1]?.["reason"]), /server\.maxInFlight: .+; .+/)
        yield* change(yaml.replace("  chat:", "  other:").replace("drain: 1s", "drain: 2s, port: 1"))
        assert.deepInclude(reloads()[2], { level: "WARN", outcome: "success", needs_restart: "server.drain" })
        assert.deepStrictEqual(yield* statuses("chat"), [404, 404, 404, 404])
        assert.deepStrictEqual(yield* statuses("other"), [200, 200, 200, 200])
        for (const { policy, routes } of yield* Effect.replicateEffect(statusOf(url), 2)) {
          assert.isNull(policy.refused)
          assert.deepStrictEqual(
            routes.map(({ route }) => route),
            ["other"]
          )
        }
        process.kill(workersOf(running)[0]!, "SIGKILL")
        yield* eventually(() => lines.filter(({ message }) => message === "worker").length === 2)
        assert.deepStrictEqual(yield* statuses("other"), [200, 200, 200, 200])
        assert.strictEqual(reloads().length, 3)
        assert.strictEqual(yield* Effect.promise(() => stop()), 0)
      }),
    timeout
  )

  it.scopedLive(
    "says of a breaker whose it is",
    () =>
      Effect.gen(function* () {
        const [first, second] = [yield* wall, yield* wall]
        first.script(fails(503))
        const tier = "retry: { times: 0 }, breaker: { consecutive: 1, openFor: 1h }"
        const { lines, url } = yield* program(chat([first.url, second.url], { tier }), {}, two)
        yield* Effect.replicateEffect(ask(url), 4)
        const changes = () => lines.filter(({ message }) => message === "breaker")
        yield* eventually(() => changes().length === 2)
        assert.sameMembers(
          changes().map(({ worker }) => worker),
          [1, 2]
        )
      }),
    timeout
  )

  it.scopedLive(
    "holds the file's limits together, and makes its synthetic checks once",
    () =>
      Effect.gen(function* () {
        const [only, checked] = [yield* wall, yield* wall]
        only.script(silence)
        const { url } = yield* program(chat([only.url], { server: "maxInFlight: 2, maxQueue: 0" }), {}, two)
        yield* Effect.replicateEffect(call(url), 2)
        yield* eventually(() => only.received.length === 2)
        for (const refused of yield* Effect.replicateEffect(ask(url), 2)) {
          assert.strictEqual(envelope(refused).code, "overloaded")
        }
        const yaml = `${chat([checked.url])}\nprobe: { every: 1s }`
        const { lines, url: other } = yield* program(yaml, {}, two)
        yield* eventually(() => checked.received.length === 3)
        for (const { probes } of yield* Effect.replicateEffect(statusOf(other), 2)) {
          assert.deepStrictEqual(
            probes.map(({ outcome, tier }) => [tier, outcome]),
            [["tier1", "success"]]
          )
        }
        assert.strictEqual(checked.sockets(), 1)
        const checks = lines.filter(({ message }) => message !== "listening")
        assert.isTrue(checks.every(({ synthetic }) => synthetic === true))
      }),
    timeout
  )

  it.scopedLive(
    "judges alerts by what all have seen, and tells of one once",
    () =>
      Effect.gen(function* () {
        const only = yield* wall
        only.script(fails(503))
        const tier = "retry: { times: 0 }, breaker: { consecutive: 100 }"
        const route = "alert: { tier: tier1, atLeast: 4 }"
        const { lines, url } = yield* program(chat([only.url], { tier, route }), {}, two)
        yield* Effect.replicateEffect(ask(url), 4)
        yield* eventually(() => lines.some(({ message }) => message === "alert"))
        for (const { text } of yield* Effect.replicateEffect(get(url, "/metrics"), 2)) {
          assert.strictEqual(sumOf(text, "understudy_alert_firing"), 1)
        }
        for (const { alerts } of yield* Effect.replicateEffect(statusOf(url), 2)) {
          assert.deepInclude(alerts[0], { firing: true, due: 4, served: 0 })
        }
        const told = lines.filter(({ message }) => message === "alert")
        assert.strictEqual(told.length, 1)
        assert.deepInclude(told[0], { firing: true, due: 4, route: "chat", tier: "tier1" })
      }),
    timeout
  )
})

describe("a gateway that cannot have its workers", () => {
  it.scopedLive(
    "says so in one line and exits with 1",
    () =>
      Effect.gen(function* () {
        const taken = `${yield* takenPort}`
        const yaml = chat(["http://127.0.0.1:1"])
        const single = chat(["http://127.0.0.1:1"], { server: "maxInFlight: 1" })
        const dying = "--import=data:text/javascript,if(process.send)process.exit(3)"
        const lines = [
          [yaml, ["--port", taken, ...two], {}, /cannot listen on 127\.0\.0\.1:\d+: .+; .+/],
          [single, two, {}, /\S+ server\.maxInFlight: .+; .+/],
          [yaml, two, { NODE_OPTIONS: dying }, /worker [12] ended 5 times in a row .+ exit code 3; .+/],
          [yaml, ["--workers", "0"], {}, /--workers takes .+; .+/],
          [yaml, ["--workers", "many"], {}, /--workers takes .+; .+/]
        ] as const
        for (const [file, args, env, expected] of lines) {
          const line = ["serve", fileOf(file), "--port", "0", "--log", "json", ...args]
          const { code, stderr, stdout } = yield* command(line, env)
          assert.strictEqual(code, 1)
          assert.match(stderr, new RegExp(`^understudy: ${expected.source}\\n$`))
          assert.isTrue(
            stdout.split("\n").every((line) => line === "" || line.includes('"worker"')),
            stdout
          )
        }
      }),
    timeout
  )
})
