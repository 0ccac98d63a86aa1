import { GCProfiler, getHeapStatistics } from "node:v8"

/** Time of one run, in microseconds. */
export interface Sample {
  readonly wall: number
  /** All threads of the process: the collector and the compiler too. Others on the machine disturb it least. */
  readonly cpu: number
}

type Loop = (runs: number) => Promise<void>

const wallOf = async (loop: Loop, runs: number): Promise<number> => {
  const started = performance.now()
  await loop(runs)
  return performance.now() - started
}

/** Runs for so many milliseconds; returns how many runs fit into one. */
export const warm = async (loop: Loop, millis: number): Promise<number> => {
  const until = performance.now() + millis
  let runs = 16
  for (;;) {
    const took = await wallOf(loop, runs)
    if (performance.now() >= until) return runs / took
    if (took < 10) runs *= 2
  }
}

export const sample = async (loop: Loop, runs: number): Promise<Sample> => {
  const before = process.cpuUsage()
  const wall = await wallOf(loop, runs)
  const { system, user } = process.cpuUsage(before)
  return { wall: (wall * 1000) / runs, cpu: (system + user) / runs }
}

/**
 * Bytes allocated on the heap by one run: how much it has grown, and what every collection meanwhile took away.
 * Measured in the same process and with the same code as the times, after it has been compiled.
 */
export const allocated = async (loop: Loop, runs: number): Promise<number> => {
  const profiler = new GCProfiler()
  profiler.start()
  const before = getHeapStatistics().used_heap_size
  await loop(runs)
  const after = getHeapStatistics().used_heap_size
  const { statistics } = profiler.stop()
  const collected = statistics.reduce(
    (sum, { afterGC, beforeGC }) =>
      sum + beforeGC.heapStatistics.usedHeapSize - afterGC.heapStatistics.usedHeapSize,
    0
  )
  return (after - before + collected) / runs
}
