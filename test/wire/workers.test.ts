import { execFileSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import type { StatusPage } from "@understudy/gateway"
import { Effect, Fiber } from "effect"
import { ask, call, chatBody, envelope, get } from "../support/caller.ts"
import { eventually } from "../support/eventually.ts"
import { chat } from "../support/gateway.ts"
import { takenPort } from "../support/ports.ts"
import { command, fileOf, type Program, program } from "../support/program.ts"
import { answer, content, fails, finish, held, role, silence, type Wall, wall } from "../support/wall.ts"

const timeout = 60_000
const two = ["--workers", "2"]
const streamed = { body: chatBody({ stream: true }) }
const times = <A, E, R>(
  count: number,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<ReadonlyArray<A>, E, R> => Effect.forEach(Array.from({ length: count }), () => effect)

/** The processes that this one has started. */
const workersOf = ({ pid }: Program): ReadonlyArray<number> =>
  execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" })
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number))
    .flatMap(([own, parent]) => (own !== undefined && parent === pid ? [own] : []))
    // Without `ps` itself.
    .filter((own) => own !== process.pid)

const isThere = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** All samples that begin like this together. */
const sumOf = (text: string, series: string): number => {
  const samples = text.split("\n").filter((line) => line.startsWith(series))
  assert.isNotEmpty(samples, text)
  return samples.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0)
}

const served = 'understudy_requests_total{route="chat",served_by="tier1",outcome="success"'
const count = (url: string): Effect.Effect<number> =>
  Effect.map(get(url, "/metrics"), ({ text }) => sumOf(text, served))

const statusOf = (url: string): Effect.Effect<StatusPage.Status> =>
  Effect.map(get(url, "/status"), ({ text }) => JSON.parse(text))

/** A stream of each of two workers, whose first content has come. */
const streams = (url: string, only: Wall) =>
  Effect.forEach([1, 2], (_, index) =>
    Effect.gen(function* () {
      const { behaviour, end, send } = held()
      only.script(behaviour)
      const { answer, text } = yield* call(url, streamed)
      yield* eventually(() => only.received.length === index + 1)
      send(role, content("Hel"))
      yield* eventually(() => text().includes("Hel"))
      return {
        answer,
        end: () => {
          send(content("lo"), finish)
          end()
        }
      }
    })
  )

describe("a gateway of two workers", () => {
  it.scopedLive(
    "has both of them serve, and whichever is asked says what both have counted",
    () =>
      Effect.gen(function* () {
        const [first, second] = [yield* wall, yield* wall]
        first.script(fails(503), answer())
        const tier = "retry: { times: 0 }, breaker: { consecutive: 1, openFor: 1h }"
        const { lines, url } = yield* program(chat([first.url, second.url], { tier }), {}, two)
        yield* times(20, ask(url))
        // Each keeps a connection of its own, the breaker of one is open, and that of the other is not.
        assert.strictEqual(first.sockets(), 2)
        const [asked, fellBack] = [first.received.length, second.received.length]
        assert.isAbove(asked, 1)
        for (const { text } of yield* times(2, get(url, "/metrics"))) {
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
        for (const { attempts, models, routes } of yield* times(2, statusOf(url))) {
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
    "goes on with one where the other is killed, starts another, and no counter falls",
    () =>
      Effect.gen(function* () {
        const only = yield* wall
        const running = yield* program(chat([only.url]), {}, two)
        const { lines, url } = running
        yield* times(6, ask(url))
        assert.strictEqual(yield* count(url), 6)
        const before = workersOf(running)
        assert.strictEqual(before.length, 2)
        process.kill(before[0]!, "SIGKILL")
        yield* eventually(() => lines.some(({ message }) => message === "worker"))
        assert.strictEqual(yield* count(url), 6)
        assert.strictEqual((yield* ask(url)).status, 200)
        assert.strictEqual(yield* count(url), 7)
        yield* eventually(() => lines.filter(({ message }) => message === "worker").length === 2)
        const told = lines.filter(({ message }) => message === "worker")
        assert.deepInclude(told[0], { level: "ERROR", outcome: "failure", reason: "SIGKILL" })
        assert.deepInclude(told[1], { level: "INFO", outcome: "success", worker: told[0]?.["worker"] })
        const after = workersOf(running)
        assert.strictEqual(after.length, 2)
        assert.notDeepEqual(after, before)
        yield* times(4, ask(url))
        assert.deepStrictEqual(yield* times(2, count(url)), [11, 11])
        running.signal("SIGKILL")
        yield* eventually(() => !after.some(isThere))
      }),
    timeout
  )

  it.scopedLive(
    "is not kept by one that hangs from saying what it has said",
    () =>
      Effect.gen(function* () {
        const only = yield* wall
        const running = yield* program(chat([only.url]), {}, two)
        yield* times(6, ask(running.url))
        assert.strictEqual(yield* count(running.url), 6)
        const [hangs] = workersOf(running)
        process.kill(hangs!, "SIGSTOP")
        // One of them may come to the worker that hangs.
        const [one, other] = [yield* Effect.fork(count(running.url)), yield* Effect.fork(count(running.url))]
        assert.strictEqual(yield* Effect.raceFirst(Fiber.join(one), Fiber.join(other)), 6)
        process.kill(hangs!, "SIGCONT")
        assert.deepStrictEqual([yield* Fiber.join(one), yield* Fiber.join(other)], [6, 6])
      }),
    timeout
  )

  it.scopedLive(
    "on a signal to all its processes lets the streams of both finish, and exits with 0",
    () =>
      Effect.gen(function* () {
        const only = yield* wall
        const yaml = chat([only.url]).replace("drain: 1s", "drain: 1h")
        const running = yield* program(yaml, {}, two)
        const { lines, stop, url } = running
        const [first, second] = yield* streams(url, only)
        const workers = workersOf(running)
        for (const pid of workers) process.kill(pid, "SIGINT")
        const exited = stop("SIGINT")
        yield* Effect.repeat(get(url, "/health/live"), { until: ({ status }) => status === 0 })
        first!.end()
        second!.end()
        for (const { text, whole } of [yield* first!.answer, yield* second!.answer]) {
          assert.isTrue(whole)
          assert.isTrue(text.endsWith("data: [DONE]\n\n"))
        }
        assert.strictEqual(yield* Effect.promise(() => exited), 0)
        assert.deepStrictEqual(lines.map(({ message }) => message).toSorted(), [
          "attempt",
          "attempt",
          "listening",
          "run",
          "run"
        ])
        assert.isFalse(workers.some(isThere))
      }),
    timeout
  )

  it.scopedLive(
    "ends what takes longer than drain in all of them, and after a second signal does not wait",
    () =>
      Effect.gen(function* () {
        const only = yield* wall
        only.script(silence)
        const stopping = (drain: string) =>
          Effect.gen(function* () {
            const before = only.received.length
            const running = yield* program(chat([only.url]).replace("drain: 1s", `drain: ${drain}`), {}, two)
            const calls = yield* times(2, call(running.url))
            yield* eventually(() => only.received.length === before + 2)
            return { ...running, calls }
          })
        const soon = yield* stopping("50ms")
        assert.strictEqual(yield* Effect.promise(() => soon.stop()), 0)
        for (const { answer } of soon.calls) {
          const { status, whole } = yield* answer
          assert.deepStrictEqual([status, whole], [503, true])
        }
        const late = yield* stopping("1h")
        const workers = workersOf(late)
        void late.stop()
        yield* Effect.repeat(get(late.url, "/health/live"), { until: ({ status }) => status === 0 })
        assert.strictEqual(yield* Effect.promise(() => late.stop()), 1)
        yield* eventually(() => !workers.some(isThere))
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
          Effect.map(times(4, ask(url, { body: chatBody({ model }) })), (answers) =>
            answers.map(({ status }) => status)
          )
        yield* change("providers: {")
        assert.deepInclude(reloads()[0], { level: "ERROR", outcome: "failure" })
        assert.deepStrictEqual(yield* statuses("chat"), [200, 200, 200, 200])
        for (const { policy } of yield* times(2, statusOf(url))) {
          assert.strictEqual(policy.refused?.reason, reloads()[0]?.["reason"] as string)
        }
        yield* change(chat([only.url], { server: "maxInFlight: 1" }))
        assert.match(String(reloads()[1]?.["reason"]), /server\.maxInFlight: .+; .+/)
        yield* change(yaml.replace("  chat:", "  other:").replace("drain: 1s", "drain: 2s, port: 1"))
        assert.deepInclude(reloads()[2], { level: "WARN", outcome: "success", needs_restart: "server.drain" })
        assert.deepStrictEqual(yield* statuses("chat"), [404, 404, 404, 404])
        assert.deepStrictEqual(yield* statuses("other"), [200, 200, 200, 200])
        for (const { policy, routes } of yield* times(2, statusOf(url))) {
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
        yield* times(4, ask(url))
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
        yield* times(2, call(url))
        yield* eventually(() => only.received.length === 2)
        for (const refused of yield* times(2, ask(url))) {
          assert.strictEqual(envelope(refused).code, "overloaded")
        }
        const yaml = `${chat([checked.url])}\nprobe: { every: 1s }`
        const { lines, url: other } = yield* program(yaml, {}, two)
        yield* eventually(() => checked.received.length === 3)
        for (const { probes } of yield* times(2, statusOf(other))) {
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
        yield* times(4, ask(url))
        yield* eventually(() => lines.some(({ message }) => message === "alert"))
        for (const { text } of yield* times(2, get(url, "/metrics"))) {
          assert.strictEqual(sumOf(text, "understudy_alert_firing"), 1)
        }
        for (const { alerts } of yield* times(2, statusOf(url))) {
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
