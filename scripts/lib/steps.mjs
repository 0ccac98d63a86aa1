import { spawn } from "node:child_process"
import { mkdtempSync, readFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { isAbsolute, join } from "node:path"
import { root } from "./install.mjs"

const totals = { passed: 0, failed: 0 }

const exec = (command, args, env = {}) =>
  new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: root,
      stdio: ["ignore", "inherit", "inherit"],
      env: { ...process.env, ...env },
      shell: process.platform === "win32"
    })
    child.on("error", () => resolve(1))
    child.on("exit", (code) => resolve(code ?? 1))
  })

const bin = (name) => (isAbsolute(name) ? name : join(root, "node_modules/.bin", name))

/** A check that counts as one test. */
export const step = async (name, command, ...args) => {
  const started = process.uptime()
  const ok = (await exec(bin(command), args)) === 0
  totals[ok ? "passed" : "failed"]++
  console.log(`${ok ? "ok  " : "FAIL"} ${name} (${(process.uptime() - started).toFixed(1)} s)`)
}

/** A run of vitest, each of its tests counted. */
export const vitest = async (args, env) => {
  const report = join(mkdtempSync(join(tmpdir(), "understudy-")), "report.json")
  const code = await exec(
    bin("vitest"),
    ["run", ...args, "--reporter=default", "--reporter=json", `--outputFile.json=${report}`],
    env
  )
  const before = totals.failed
  try {
    const { numFailedTests, numPassedTests, testResults } = JSON.parse(readFileSync(report, "utf8"))
    totals.passed += numPassedTests
    // A file that could not be loaded has no tests to count.
    const broken = testResults.filter(
      (file) => file.status === "failed" && file.assertionResults.length === 0
    )
    totals.failed += numFailedTests + broken.length
  } catch {
    totals.failed++
  }
  if (code !== 0 && totals.failed === before) totals.failed++
}

/** Prints the totals on a line of their own and ends the process. */
export const finish = () => {
  console.log(`\n${totals.passed} passed, ${totals.failed} failed`)
  process.exit(totals.failed === 0 && totals.passed > 0 ? 0 : 1)
}
