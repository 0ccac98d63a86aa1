import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { ask, call, chatBody, exchange, get } from "../support/caller.ts"
import { eventually } from "../support/eventually.ts"
import { chat } from "../support/gateway.ts"
import { program } from "../support/program.ts"
import { content, finish, held, role, silence, type Wall, wall } from "../support/wall.ts"
import { sumOf, two, workersOf } from "../support/workers.ts"

const timeout = 60_000
const streamed = { body: chatBody({ stream: true }) }

const isThere = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

const served = 'understudy_requests_total{route="chat",served_by="tier1",outcome="success"'
const count = (url: string): Effect.Effect<number> =>
  Effect.map(get(url, "/metrics"), ({ text }) => sumOf(text, served))

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

describe("of a gateway's two workers", () => {
  it.scopedLive(
    "goes on with one where the other is killed, starts another, and no counter falls",
    () =>
      Effect.gen(function* () {
        const only = yield* wall
        const running = yield* program(chat([only.url]), {}, two)
        const { lines, url } = running
        yield* Effect.replicateEffect(ask(url), 6)
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
        yield* Effect.replicateEffect(ask(url), 4)
        assert.deepStrictEqual(yield* Effect.replicateEffect(count(url), 2), [11, 11])
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
        yield* Effect.replicateEffect(ask(running.url), 6)
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
    "replaces one that answers no more, and another one has what that was given",
    () =>
      Effect.gen(function* () {
        const only = yield* wall
        const running = yield* program(chat([only.url]), {}, two)
        const { lines, signal, url } = running
        const [hangs] = workersOf(running)
        process.kill(hangs!, "SIGSTOP")
        signal("SIGHUP")
        const statuses = yield* Effect.all(
          Array.from({ length: 4 }, () => ask(url)),
          { concurrency: 4 }
        )
        assert.deepStrictEqual(
          statuses.map(({ status }) => status),
          [200, 200, 200, 200]
        )
        assert.notInclude(workersOf(running), hangs)
        yield* eventually(() => lines.some(({ message, level }) => message === "worker" && level === "INFO"))
        const told = lines.filter(({ message }) => message === "worker" || message === "reload")
        const { worker } = told[0]!
        assert.deepStrictEqual(
          told.map(({ level, message, worker }) => [level, message, worker]),
          [
            ["WARN", "worker", worker],
            ["INFO", "reload", undefined],
            ["ERROR", "worker", worker],
            ["INFO", "worker", worker]
          ]
        )
        assert.match(String(told[0]?.["reason"]), /new file/)
        assert.strictEqual(told[2]?.["reason"], "silence")
      }),
    timeout
  )

  it.scopedLive(
    "on a signal to all its processes lets the streams of both finish, after a reload too, and exits with 0",
    () =>
      Effect.gen(function* () {
        const only = yield* wall
        const yaml = chat([only.url]).replace("drain: 1s", "drain: 1h")
        const running = yield* program(yaml, {}, two)
        const { lines, signal, stop, url } = running
        signal("SIGHUP")
        yield* eventually(() => lines.some(({ message }) => message === "reload"))
        const [first, second] = yield* streams(url, only)
        // A worker that drains closes it.
        const idle = yield* Effect.forEach([1, 2], () =>
          Effect.gen(function* () {
            let said = ""
            const alive = "GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n"
            const closed = yield* Effect.fork(
              exchange(url, alive, (text) => {
                said = text
                return false
              })
            )
            yield* eventually(() => said.includes("200 OK"))
            return closed
          })
        )
        const workers = workersOf(running)
        for (const pid of workers) process.kill(pid, "SIGINT")
        const exited = stop("SIGINT")
        for (const closed of idle) yield* Fiber.join(closed)
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
          "reload",
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
            const calls = yield* Effect.replicateEffect(call(running.url), 2)
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
        assert.strictEqual(yield* Effect.promise(() => late.stop()), 143)
        yield* eventually(() => !workers.some(isThere))
      }),
    timeout
  )
})
