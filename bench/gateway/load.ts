import { execFile } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import type { Question } from "./contenders.ts"
import { onCore } from "./processes.ts"

/** What a load of so many connections came to. */
export interface Load {
  readonly requests: number
  readonly seconds: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
}

const script = ({ body, headers }: Question): string => `
wrk.method = "POST"
wrk.body = ${JSON.stringify(body)}
${Object.entries(headers)
  .map(([name, value]) => `wrk.headers[${JSON.stringify(name)}] = ${JSON.stringify(value)}`)
  .join("\n")}
function done(summary, latency)
  local failed = 0
  for _, count in pairs(summary.errors) do failed = failed + count end
  io.write(string.format('\\n{"requests":%d,"seconds":%f,"failed":%d,"p50":%f,"p99":%f}\\n', summary.requests,
    summary.duration / 1e6, failed, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
`

/** Lets wrk ask as often as it can for so long. Throws where a single answer was not a good one. */
export const load = async (
  out: string,
  question: Question,
  connections: number,
  seconds = 1
): Promise<Load> => {
  const lua = join(out, "wrk.lua")
  writeFileSync(lua, script(question))
  const [command, ...args] = [
    ...onCore("load"),
    "wrk",
    ...["-t", "1", "-c", String(connections), "-d", `${seconds}s`],
    ...["--timeout", "30s", "-s", lua, question.url]
  ] as [string, ...Array<string>]
  const { stdout } = await promisify(execFile)(command, args)
  const { failed, ...load } = JSON.parse(stdout.trim().split("\n").at(-1) ?? "")
  if (failed > 0) throw new Error(`${failed} of ${load.requests} answers of ${question.url} were errors`)
  return load
}
