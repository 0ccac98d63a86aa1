import { setTimeout as sleep } from "node:timers/promises"
import { median } from "../statistics.ts"
import { burst, callers } from "./callers.ts"
import type { Contender, Question, Upstreams } from "./contenders.ts"
import { type Load, load } from "./load.ts"
import type { Server } from "./processes.ts"
import { inShares } from "./share.ts"

/** A contender that is warm, asked for what a scenario asks for. */
export interface Asked {
  readonly contender: Contender
  readonly server: Server
  readonly question: Question
}

/** Figures by their names: see `units`. */
export type Figures = Readonly<Record<string, number>>

export interface Scenario {
  readonly name: string
  readonly title: string
  readonly upstreams: Upstreams
  /** Answers before the first sample. Code that is not compiled yet takes five times as long. */
  readonly warm: number
  readonly contenders: ReadonlyArray<string>
  /** Takes part in a quick run, and how often in a full one. */
  readonly quick: boolean
  readonly rounds: number
  readonly measure: (asked: Asked, settings: Settings) => Promise<Figures>
}

export interface Settings {
  readonly out: string
  /** CPU time of a sample. */
  readonly cpuMillis: number
}

export const units: Readonly<Record<string, string>> = {
  rps: "answers a second",
  cpu: "CPU ms an answer",
  p50: "ms, half of the answers",
  p99: "ms, 99 of 100",
  byte: "ms to the first byte",
  first: "ms to the first chunk that says something",
  heap: "MB of heap for 1,000 calls",
  resident: "MB resident",
  wall: "s for all",
  lost: "answers lost"
}

/** Load after load, each over new connections, until the process has had so much time of a core: others may have most of it. */
const underLoad =
  (connections: number, seconds = 1) =>
  async ({ question, server }: Asked, { cpuMillis, out }: Settings): Promise<Figures> => {
    const before = await server.ask({ _tag: "usage", collect: false })
    const loads: Array<Load> = []
    let after = before
    while (after.cpu - before.cpu < cpuMillis * 1e3 && loads.length * seconds < mostSeconds) {
      loads.push(await load(out, question, connections, seconds))
      after = await server.ask({ _tag: "usage", collect: false })
    }
    const sum = (figure: "requests" | "seconds") => loads.reduce((all, each) => all + each[figure], 0)
    const requests = sum("requests")
    return {
      rps: requests / sum("seconds"),
      cpu: (after.cpu - before.cpu) / 1e3 / requests,
      p50: median(loads.map(({ p50 }) => p50)),
      p99: median(loads.map(({ p99 }) => p99)),
      resident: after.resident / 1e6
    }
  }

/** Lets a contender answer so often: what is measured then is compiled code. */
export const warm = async ({ question }: Asked, { out }: Settings, answers: number): Promise<void> => {
  let answered = 0
  for (let second = 0; answered < answers && second < mostSeconds; second++) {
    answered += (await load(out, question, 32)).requests
  }
}

/** What a machine that others use may take for it. */
const mostSeconds = 40

/** Many calls: hundreds are slower where others were asked before, see docs/performance-steps.md. */
const firstChunk = async ({ question }: Asked): Promise<Figures> => {
  const calls = await callers(question, 16, 64)
  const half = (figure: "byte" | "first" | "whole") => median(calls.map((each) => each[figure]))
  return { byte: half("byte"), first: half("first"), p50: half("whole") }
}

const firstWords = {
  warm: 4_000,
  contenders: ["direct", "raw", "ours", "portkey"],
  rounds: 7,
  measure: firstChunk
}

const waiting =
  (count: number) =>
  async ({ question, server }: Asked): Promise<Figures> => {
    const before = await server.ask({ _tag: "usage", collect: true })
    let heap = Number.NaN
    const { lost, wall } = await burst(question, count, async () => {
      // The upstream answers after five seconds: by then all calls wait for it.
      await sleep(3_500)
      const during = await server.ask({ _tag: "usage", collect: true })
      heap = (during.heap - before.heap) / 1e6 / (count / 1_000)
    })
    return { heap, wall: wall / 1e3, lost }
  }

export const scenarios: ReadonlyArray<Scenario> = [
  {
    name: "whole",
    title: "whole answers of 1 KB, 32 connections",
    upstreams: ["answer", "answer"],
    warm: 8_000,
    contenders: ["raw", "ours", "traced", "portkey"],
    quick: true,
    rounds: 5,
    measure: underLoad(32)
  },
  {
    name: "fallback",
    title: "the first tier answers 503, the second 1 KB, 32 connections",
    upstreams: ["busy", "answer"],
    warm: 8_000,
    contenders: ["raw", "ours", "portkey"],
    quick: true,
    rounds: 5,
    measure: underLoad(32)
  },
  {
    name: "alone",
    title: "whole answers, one connection",
    upstreams: ["answer", "answer"],
    warm: 8_000,
    contenders: ["direct", "raw", "ours", "portkey"],
    quick: true,
    rounds: 5,
    measure: underLoad(1)
  },
  {
    name: "stream",
    title: "streams of 50 chunks without a pause, 32 connections",
    upstreams: ["stream", "stream"],
    warm: 4_000,
    contenders: ["raw", "ours", "portkey"],
    quick: true,
    rounds: 5,
    measure: underLoad(32)
  },
  {
    name: "workers",
    title: "whole answers of one process and of two, each with three tenths of a core; 64 connections",
    upstreams: ["answer", "answer"],
    // Of which each worker has half.
    warm: 40_000,
    contenders: ["ours", "workers"],
    quick: false,
    rounds: 7,
    // Callers keep their connections, and to hand one over takes a parent of workers as long as it takes it for 50 answers.
    measure: (asked, settings) => inShares(asked.server.pid, () => underLoad(64, 5)(asked, settings))
  },
  {
    name: "first",
    title: "streams of 50 chunks 2 ms apart, the first of which says something; 16 connections",
    upstreams: ["spoken", "spoken"],
    quick: true,
    ...firstWords
  },
  {
    name: "later",
    title: "the same, but the first chunk names the role alone",
    upstreams: ["paced", "paced"],
    quick: false,
    ...firstWords
  },
  {
    name: "waiting",
    title: "1,000 calls that wait five seconds for their upstream",
    upstreams: ["wait", "wait"],
    warm: 0,
    contenders: ["raw", "ours", "portkey"],
    quick: false,
    rounds: 1,
    measure: waiting(1_000)
  },
  {
    name: "burst",
    title: "4,000 callers at once, an upstream of five seconds",
    upstreams: ["wait", "wait"],
    warm: 0,
    contenders: ["raw", "ours", "portkey"],
    quick: false,
    rounds: 1,
    measure: waiting(4_000)
  }
]
