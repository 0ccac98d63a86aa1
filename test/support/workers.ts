import { execFileSync } from "node:child_process"
import { assert } from "@effect/vitest"
import type { Program } from "./program.ts"

/** The arguments for a gateway of two. */
export const two: ReadonlyArray<string> = ["--workers", "2"]

/** The processes that this one has started. */
export const workersOf = ({ pid }: Program): ReadonlyArray<number> =>
  execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" })
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number))
    .flatMap(([own, parent]) => (own !== undefined && parent === pid ? [own] : []))
    // Without `ps` itself.
    .filter((own) => own !== process.pid)

/** All samples that begin like this together. */
export const sumOf = (text: string, series: string): number => {
  const samples = text.split("\n").filter((line) => line.startsWith(series))
  assert.isNotEmpty(samples, text)
  return samples.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0)
}
