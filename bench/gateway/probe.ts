import cluster from "node:cluster"
import { readFileSync, writeFileSync } from "node:fs"
import { Session } from "node:inspector/promises"

/** What every process is asked from outside, so that it is measured alike whatever it runs. */
export type Asked = { readonly _tag: "usage"; readonly collect: boolean } | Profiling

type Profiling =
  | { readonly _tag: "profile" }
  /** Ends the profile and writes it. */
  | { readonly _tag: "profiled"; readonly file: string }

export interface Usage {
  /** Microseconds of all threads, and of the processes that it has for workers. */
  readonly cpu: number
  /** Bytes; after a collection where that was asked for. */
  readonly heap: number
  readonly resident: number
}

let session: Session | undefined

const answer = async (asked: Asked): Promise<Usage> => {
  switch (asked._tag) {
    case "usage":
      if (asked.collect) globalThis.gc?.()
      break
    case "profile":
      session = new Session()
      session.connect()
      await session.post("Profiler.enable")
      await session.post("Profiler.setSamplingInterval", { interval: 200 })
      await session.post("Profiler.start")
      break
    case "profiled": {
      const stopped = await session?.post("Profiler.stop")
      writeFileSync(asked.file, JSON.stringify(stopped?.profile))
    }
  }
  const { system, user } = process.cpuUsage()
  const { heapUsed, rss } = process.memoryUsage()
  const workers = Object.values(cluster.workers ?? {}).map((worker) => usageOf(worker?.process.pid ?? 0))
  return {
    cpu: workers.reduce((sum, { cpu }) => sum + cpu, user + system),
    heap: heapUsed,
    resident: workers.reduce((sum, { resident }) => sum + resident, rss)
  }
}

/** As Linux says it, in hundredths of a second and pages. */
const usageOf = (pid: number): Pick<Usage, "cpu" | "resident"> => {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? []
  return { cpu: (Number(fields[11]) + Number(fields[12])) * 1e4, resident: Number(fields[21]) * 4096 }
}

// A worker is asked by its parent alone.
if (!cluster.isWorker) {
  process.on("message", (asked: Asked) => {
    answer(asked).then((usage) => process.send?.(usage))
  })
  // What is measured is to end as it does alone, and not to wait for questions.
  process.channel?.unref()
  process.on("disconnect", () => process.exit())
}
