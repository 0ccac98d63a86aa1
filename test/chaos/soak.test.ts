import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { ask as fetched } from "../support/caller.ts"
import { eventually } from "../support/eventually.ts"
import { program } from "../support/program.ts"
import { ask, claim, key } from "./caller.ts"
import { file } from "./chaos.ts"
import { upstream } from "./upstream.ts"

const seconds = Number(process.env["SOAK_SECONDS"] ?? 600)
const callers = 20
const seed = 1

/** Megabytes of memory that a process holds. */
const resident = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1e3

const median = (numbers: ReadonlyArray<number>): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN

describe("soak", () => {
  it.scopedLive(
    `of ${seconds} s of steady load, faults and callers that leave: memory stays where it was`,
    () =>
      Effect.gen(function* () {
        const heard = new Set<string>()
        const tiers = [
          ["lead", yield* upstream(seed, "lead", 0.2, heard)],
          ["standby", yield* upstream(seed, "standby", 0.05, heard)]
        ] as const
        const { lines, pid, stop, url } = yield* program(file(tiers))
        const until = performance.now() + seconds * 1000
        const counts = { told: 0, wrong: 0 }
        const caller = (name: number) =>
          Effect.iterate(0, {
            while: () => performance.now() < until,
            body: (n) =>
              Effect.map(
                ask(url, seed, `${name}-${n}`, (marker) => heard.has(marker)),
                (told) => {
                  counts.told++
                  if (/WRONG|cut|no connection/.test(claim(told))) counts.wrong++
                  return n + 1
                }
              )
          })
        const samples: Array<number> = []
        const watching = yield* Effect.fork(
          Effect.forever(
            Effect.delay(
              Effect.sync(() => {
                samples.push(resident(pid))
                // What this side writes down is not what is measured, but must not grow for ever either.
                heard.clear()
                lines.length = 0
                for (const [, wall] of tiers) wall.received.length = 0
              }),
              Duration.seconds(seconds / 100)
            )
          )
        )
        yield* Effect.forEach(
          Array.from({ length: callers }, (_, name) => name),
          caller,
          {
            concurrency: "unbounded"
          }
        )
        yield* watching.interruptAsFork(watching.id())
        const headers = { authorization: `Bearer ${key}` }
        const { text } = yield* fetched(url, { method: "GET", path: "/metrics", headers })
        assert.include(text, "understudy_requests_total")
        const quarter = Math.floor(samples.length / 4)
        const [early, late] = [median(samples.slice(quarter, 2 * quarter)), median(samples.slice(-quarter))]
        console.log(
          JSON.stringify({ seconds, callers, ...counts, megabytes: { early, late }, ratio: late / early })
        )
        assert.strictEqual(counts.wrong, 0)
        assert.isBelow(late / early, 1.15)
        assert.strictEqual(yield* Effect.promise(() => stop()), 0)
        yield* eventually(() => tiers.every(([, wall]) => wall.sockets() === 0))
      }),
    (seconds + 60) * 1000
  )
})
