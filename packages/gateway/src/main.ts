#!/usr/bin/env node
import cluster from "node:cluster"

// Before anything else is loaded, which takes its time: a signal that nobody hears ends the process.
let asked = false
let reload = (): void => {
  asked = true
}
const serves = process.argv.includes("serve")

// Whose terminal is closed ends, as every program does, and so does a command that reads no file anew.
if (serves && !process.stdout.isTTY) process.on("SIGHUP", () => reload())

// Ctrl-C reaches every process of a terminal: the parent of a worker says when that is to stop.
if (cluster.isWorker) for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => {})

const { run } = await import("./internal/process.ts")
run(serves, (listener) => {
  reload = listener
  if (asked) listener()
})
