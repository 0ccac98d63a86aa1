#!/usr/bin/env node

// Before anything else is loaded, which takes its time: a signal that nobody hears ends the process.
let asked = false
let reload = (): void => {
  asked = true
}
// Whose terminal is closed ends, as every program does, and so does a command that reads no file anew.
if (process.argv.includes("serve") && !process.stdout.isTTY) process.on("SIGHUP", () => reload())

const { run } = await import("./internal/process.ts")
run((listener) => {
  reload = listener
  if (asked) listener()
})

export {}
