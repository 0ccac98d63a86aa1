// Running a server as a child process that ends with us.

import { spawn } from "node:child_process"
import { setTimeout as sleep } from "node:timers/promises"

// A child must not outlive us, even after SIGKILL: a subshell waits for the end of our side of its stdin.
// `exec` keeps the pid, so that $$ is the server itself.
const watched = 'exec 3<&0; { read -r _ <&3; kill -KILL $$; } >/dev/null 2>&1 & exec "$@" 3<&- </dev/null'

/**
 * Starts a server and waits until `probe` (which fetches with the signal it is given) answers true. Rejects
 * with the tail of the server's output when it ends before that, or takes more than a minute.
 * @returns {Promise<() => Promise<void>>} stops it; may be called again
 */
export const serve = async (name, command, args, probe) => {
  const answers = () => probe(AbortSignal.timeout(2_000)).catch(() => false)
  // Else an older server on the same port would be taken for ours.
  if (await answers()) throw new Error(`${name}: another server answers on its port already`)

  const child = spawn("sh", ["-c", watched, "sh", command, ...args], { stdio: ["pipe", "pipe", "pipe"] })
  let tail = ""
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      tail = (tail + chunk).slice(-8_000)
    })
  }
  let over // how it ended, once it has
  const ended = new Promise((resolve) => {
    const end = (how) => {
      over ??= how
      resolve()
    }
    child.on("error", (error) => end(error.message))
    child.on("close", (code, signal) => end(signal ?? `exit ${code}`))
  })
  // A test that forgets to stop it must not hang the run.
  for (const handle of [child, child.stdin, child.stdout, child.stderr]) handle.unref()

  const stop = async () => {
    if (over !== undefined) return
    child.ref()
    child.kill("SIGTERM")
    const kill = setTimeout(() => child.kill("SIGKILL"), 5_000)
    await ended
    clearTimeout(kill)
  }

  const deadline = Date.now() + 60_000
  while (over === undefined && Date.now() < deadline) {
    if (await answers()) return stop
    await sleep(50)
  }
  const why = over === undefined ? "not healthy within 60 s" : `ended early (${over})`
  await stop()
  throw new Error(`${name}: ${why}\n${tail}`)
}
