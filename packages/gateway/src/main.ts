#!/usr/bin/env node
import cluster from "node:cluster"

// Before the slow loading of anything else: a signal without a listener ends the process.
let asked = false
let reload = (): void => {
  asked = true
}
const serves = process.argv.includes("serve")

// Not on a terminal, where SIGHUP means that it was closed; nor for a command that does not reload.
if (serves && !process.stdout.isTTY) process.on("SIGHUP", () => reload())

// Ctrl-C reaches every process of a terminal, but workers are stopped by their parent.
if (cluster.isWorker) for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => {})

const { run } = await import("./internal/process.ts")
run(serves, (listener) => {
  reload = listener
  if (asked) listener()
})
