import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { eventually } from "../support/eventually.ts"
import { claim, hasRun } from "./caller.ts"
import { type Books, chaos } from "./chaos.ts"
import { markerOf } from "./upstream.ts"

const env = (name: string, otherwise: number): number => Number(process.env[name] ?? otherwise)

const size = {
  seed: env("CHAOS_SEED", 1),
  callers: env("CHAOS_CALLERS", 30),
  requests: env("CHAOS_REQUESTS", 5)
}

setFlagsFromString("--expose-gc")
const collect: () => void = runInNewContext("gc")

const roots = Effect.sync(() => Fiber.unsafeRoots().length)

const heap = (): number => {
  collect()
  return process.memoryUsage().heapUsed
}

const tally = (all: ReadonlyArray<string>): Readonly<Record<string, number>> => {
  const counts: Record<string, number> = {}
  for (const one of [...all].sort()) counts[one] = (counts[one] ?? 0) + 1
  return counts
}

/** The sum of a counter's series whose labels hold this text. */
const counted = (metrics: string, name: string, label = ""): number =>
  metrics
    .split("\n")
    .filter((line) => line.startsWith(`${name}{`) && line.includes(label))
    .reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0)

/** What a caller may be told, by how it asked. */
const documented: Readonly<Record<string, RegExp>> = {
  whole: /^(all|400 invalid_value|503 (all_tiers_failed|all_tiers_open|overloaded)|504 deadline_exceeded)$/,
  stream:
    /^(all|interrupted|400 invalid_value|503 (all_tiers_failed|all_tiers_open|overloaded)|504 deadline_exceeded)$/,
  hurries:
    /^(all|interrupted|400 invalid_value|503 (all_tiers_failed|all_tiers_open|overloaded)|504 deadline_exceeded)$/,
  leaves:
    /^(left|all|interrupted|400 invalid_value|503 (all_tiers_failed|all_tiers_open|overloaded)|504 deadline_exceeded)$/,
  malformed: /^(400 invalid_json|503 overloaded)$/,
  lost: /^(404 model_not_found|503 overloaded)$/,
  stranger: /^401 invalid_api_key$/
}

/** What more may happen to those who ask while the gateway stops. */
const stopping = /^(left|interrupted|no connection|503 shutting_down)$/

type Line = Books["log"][number]

const lines = (log: ReadonlyArray<Line>, name: string): ReadonlyArray<Line> =>
  log.filter(({ message }) => message === name)

const idOf = (line: Line): string => String(line["request_id"])

const balance = ({ before, log, metrics, told, walls }: Books): void => {
  const ofStop = (marker: string) => marker.startsWith("b-")
  for (const one of told) {
    const said = claim(one)
    const fine = documented[one.manner]?.test(said) || (ofStop(one.marker) && stopping.test(said))
    assert.isTrue(fine, `${one.marker} ${one.manner} was told ${said}`)
  }

  // Every run ends once, under the id that its caller was given, with what the caller was told.
  const runs = lines(log, "run")
  const byId = new Map(runs.map((run) => [idOf(run), run]))
  assert.strictEqual(byId.size, runs.length)
  const stayed = told.filter(({ marker }) => !ofStop(marker))
  assert.strictEqual(lines(log.slice(0, before), "run").length, stayed.filter(hasRun).length)
  const received = tally(walls.flatMap((wall) => wall.received.map(markerOf)))
  const attemptsOf = tally(lines(log, "attempt").map(idOf))
  const answered = lines(log, "attempt").filter(({ status }) => status !== undefined)
  const heardFor = tally(answered.map(idOf))
  for (const one of told.filter(({ answer }) => answer?.headers["x-understudy-attempts"] !== undefined)) {
    const id = String(one.answer?.headers["x-request-id"])
    const run = byId.get(id)
    const attempts = attemptsOf[id] ?? 0
    const said = claim(one)
    assert.strictEqual(run?.["attempts"], attempts)
    assert.strictEqual(one.answer?.headers["x-understudy-tier"] ?? "none", String(run?.["served_by"]))
    if (said === "all") assert.strictEqual(run?.["outcome"], "success", one.marker)
    if (run?.["outcome"] === "success" && one.manner !== "leaves") assert.strictEqual(said, "all", one.marker)
    // What was given up, or broke with its connection, may have been over before the upstream had read it.
    const heard = received[one.marker] ?? 0
    assert.isTrue((heardFor[id] ?? 0) <= heard && heard <= attempts, `${one.marker} ${heard} of ${attempts}`)
  }

  // Nobody was asked for those who may not ask, or asked wrong.
  for (const { manner, marker } of told) {
    if (/malformed|lost|stranger/.test(manner)) assert.isUndefined(received[marker])
  }

  const early = log.slice(0, before)
  const of = (field: string, value: unknown) => (line: Line) => line[field] === value
  for (const [series, label, seen] of [
    ["requests", "", lines(early, "run")],
    ["requests", 'outcome="success"', lines(early, "run").filter(of("outcome", "success"))],
    ["requests", 'outcome="cancelled"', lines(early, "run").filter(of("outcome", "cancelled"))],
    ["attempts", "", lines(early, "attempt")],
    ["attempts", 'tier="standby"', lines(early, "attempt").filter(of("tier", "standby"))],
    ["fallbacks", "", lines(early, "run").filter(of("fallback", true))],
    ["breaker_transitions", "", lines(early, "breaker")]
  ] as const) {
    assert.strictEqual(counted(metrics, `understudy_${series}_total`, label), seen.length, series + label)
  }
}

describe("chaos", () => {
  it.live(
    `of seed ${size.seed}: every request is answered or refused once, all books agree, and nothing is left`,
    () =>
      Effect.gen(function* () {
        // What is made once, is made before it counts.
        yield* Effect.scoped(chaos({ ...size, callers: 10, requests: 2 }))
        const fibers = yield* roots
        const memory = heap()
        let inUse = 0
        yield* Effect.scoped(
          Effect.gen(function* () {
            const books = yield* chaos(size)
            console.log(JSON.stringify({ ...size, told: tally(books.told.map(claim)) }))
            yield* eventually(() => books.walls.every((wall) => wall.sockets() === 0))
            balance(books)
            inUse = heap() - memory
          })
        )
        yield* Effect.repeat(Effect.zipRight(Effect.sleep("5 millis"), roots), {
          until: (now) => now <= fibers
        })
        const after = heap()
        console.log(JSON.stringify({ heap: { before: memory, books: inUse, after } }))
        assert.isBelow(after, 1.2 * memory + 5e6)
      }),
    600_000
  )
})
