import { assert, describe, it } from "@effect/vitest"
import type { Log } from "@understudy/gateway"
import { Effect, Record, Supervisor } from "effect"
import { call, chatBody } from "../support/caller.ts"
import { eventually } from "../support/eventually.ts"
import { gateway, routeEach } from "../support/gateway.ts"
import { type RawWall, rawWall, type Turn } from "../support/rawWall.ts"
import { content, finish, role } from "../support/wall.ts"

const answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 999\r\n\r\n"
const stream = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 99999999\r\n\r\n"
const begun = stream + role("m") + content("Hel")("m")

interface Phase extends Turn {
  readonly stream?: boolean
  /** Of the request, in bytes. */
  readonly size?: number
  /** What callers have seen before they leave. */
  readonly seen?: string
}

/** Where the upstream of each route stops, and the caller of it leaves. */
const phases: Readonly<Record<string, Phase>> = {
  connecting: { reads: "nothing" },
  sending: { reads: "half", size: 3_000_000 },
  waiting: {},
  waitingForStream: { stream: true },
  inHeaders: { writes: [answer.slice(0, 40)] },
  inAnswer: { writes: [`${answer}{"choices"`] },
  inError: { writes: [answer.replace("200 OK", "503 Busy")] },
  betweenAttempts: { writes: ["HTTP/1.1 503 Busy\r\nconnection: close\r\n\r\n"], ends: "close" },
  beforeContent: { stream: true, writes: [stream + role("m")] },
  inStream: { stream: true, writes: [begun], seen: "Hel" },
  inFlow: { stream: true, writes: [begun + content("la ")("m").repeat(1000)], seen: "la " },
  afterFinish: { stream: true, writes: [begun + finish("m")], seen: "stop" }
}

/** What keeps this process alive, in numbers. */
const held = (): Readonly<Record<string, number>> => {
  const counts: Record<string, number> = {}
  for (const name of process.getActiveResourcesInfo()) counts[name] = (counts[name] ?? 0) + 1
  return counts
}

const listeners = () => process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0)

describe("a thousand calls that were given up", () => {
  it.scopedLive(
    "leave no socket, fiber, timer or listener behind",
    () =>
      Effect.gen(function* () {
        const warnings: Array<Error> = []
        const onWarning = (warning: Error) => void warnings.push(warning)
        process.on("warning", onWarning)
        yield* Effect.addFinalizer(() => Effect.sync(() => process.off("warning", onWarning)))

        const walls = yield* Effect.all(Record.map(phases, () => rawWall))
        const url = (wall: RawWall, name: string) =>
          name === "connecting" ? wall.url.replace("http:", "https:") : wall.url
        const supervisor = yield* Supervisor.track
        const running = yield* gateway(
          routeEach(Record.map(walls, url), {
            route: { deadline: "3h" },
            primary: {
              timeout: "2h",
              attemptTimeout: "1h",
              retry: { times: 1, base: "1h", max: "1h", jitter: "none" },
              breaker: { consecutive: 1000 }
            }
          })
        ).pipe(Effect.supervised(supervisor))
        const fibers = Effect.map(supervisor.value, (all) => all.length)
        const before = { fibers: yield* fibers, held: held(), listeners: listeners() }

        const attempts = (route: string) =>
          running.log.filter((line) => line.message === "attempt" && line["route"] === route).length
        let left = 0
        for (const [name, { seen = "", size = 0, stream = false, ...turn }] of Object.entries(phases)) {
          const only = walls[name]!
          only.script(turn)
          const body = chatBody({ model: name, stream, padding: "x".repeat(size) })
          // Large requests are few.
          const [rounds, atOnce] = size === 0 ? [2, 50] : [1, 10]
          for (let round = 1; round <= rounds; round++) {
            const calls = yield* Effect.all(Array.from({ length: atOnce }, () => call(running.url, { body })))
            yield* eventually(() => only.turns() === round * atOnce)
            yield* eventually(() => calls.every(({ text }) => text().includes(seen)))
            if (name === "betweenAttempts") yield* eventually(() => attempts(name) === round * atOnce)
            assert.isAtLeast(yield* fibers, name === "afterFinish" ? 0 : atOnce)
            for (const { leave } of calls) leave()
            left += atOnce
            only.readOn()
            yield* eventually(() => only.open() === 0)
          }
        }
        assert.isAtLeast(left, 1000)
        const runs = () => running.log.filter(({ message }) => message === "run")
        yield* eventually(() => runs().length === left)
        // A stream that is finished may be over before its caller leaves.
        const given = (line: Log.Entry) => line["outcome"] === "cancelled" || line["route"] === "afterFinish"
        assert.isTrue(runs().every(given))
        // The walls never closed their side of the connections, and do so only now.
        for (const only of Object.values(walls)) only.goOn("", "reset")
        yield* eventually(() => JSON.stringify(held()) === JSON.stringify(before.held))
        assert.deepStrictEqual([yield* fibers, listeners(), warnings], [before.fibers, before.listeners, []])
      }),
    120_000
  )
})
