// `npm run test:mutation [-- NAME…]`: breaks the decision code of core in every small way, one at a time, and expects
// the tests of that code to notice. What none of them can notice is explained in packages/core/test/mutants.md.
// NAME is a part of a file's path: only such files are broken.
import { readdirSync, readFileSync } from "node:fs"
import { availableParallelism, tmpdir } from "node:os"
import { join, relative } from "node:path"
import { install, root } from "./lib/install.mjs"

install()
const { Stryker } = await import("@stryker-mutator/core")

const src = join(root, "packages/core/src")
const explanations = "packages/core/test/mutants.md"

/** What is broken, and the tests that are to notice. */
const subjects = [
  { sources: /^Backoff/, tests: ["Backoff.test.ts"] },
  { sources: /^Deadline/, tests: ["Deadline.test.ts"] },
  { sources: /^Outcome/, tests: ["Outcome.test.ts"] },
  { sources: /^RetryBudget/, tests: ["RetryBudget*.test.ts"] },
  { sources: /^internal\/rolling/, tests: ["rolling.test.ts"] },
  { sources: /^(CircuitBreaker|internal\/breaker)/, tests: ["CircuitBreaker.*test.ts"] },
  { sources: /^internal\/timer/, tests: ["timer.test.ts"] },
  { sources: /^internal\/plan/, tests: ["Fallback*.test.ts", "budget.test.ts", "laws/*.test.ts"] }
]

// The same cases in every run, or a mutant that only a rare case shows would come and go.
Object.assign(process.env, { LAW_RUNS: "100", LAW_SEED: "1" })

const breakAll = (sources, tests) =>
  new Stryker({
    mutate: sources.map((path) => `packages/core/src/${path}`),
    ignorePatterns: [
      "**",
      "!packages/core/src/**",
      "!packages/core/test/**/!(*.test).ts",
      ...tests.map((path) => `!packages/core/test/${path}`),
      "!vitest*.config.ts"
    ],
    plugins: ["@stryker-mutator/vitest-runner"],
    testRunner: "vitest",
    vitest: { configFile: "vitest.mutation.config.ts" },
    coverageAnalysis: "perTest",
    concurrency: Math.max(1, Math.floor(availableParallelism() / 2)),
    // Only what never ends is to run into it, on a busy machine too.
    timeoutMS: 20_000,
    tempDirName: join(tmpdir(), "understudy-mutation"),
    cleanTempDir: "always",
    // It would be read through an API that TypeScript no longer has.
    tsconfigFile: "none",
    reporters: ["progress-append-only"],
    logLevel: "warn",
    warnings: false,
    allowConsoleColors: false
  }).runMutationTest()

/** A file that the mutant keeps from loading has no tests to fail. */
const survived = ({ status, testsCompleted }) =>
  status === "NoCoverage" || (status === "Survived" && testsCompleted > 0)

/** The lines that a mutant changes: what it is known by, wherever in its file they are. */
const diffOf = (source, { location: { start, end }, replacement }) => {
  const lines = source.slice(start.line - 1, end.line)
  const after = lines[0].slice(0, start.column - 1) + replacement + lines.at(-1).slice(end.column - 1)
  const signed = (sign, text) => text.map((line) => `${sign} ${line.trim()}`)
  return [...signed("-", lines), ...signed("+", after.split("\n"))].join("\n")
}

const explained = () => {
  const sections = readFileSync(join(root, explanations), "utf8").split(/^## /m).slice(1)
  return sections.flatMap((section) => {
    const path = section.slice(0, section.indexOf("\n"))
    return [...section.matchAll(/^```diff\n([\s\S]*?)\n```$/gm)].map(([, diff]) => `${path}\n${diff}`)
  })
}

const names = process.argv.slice(2)
const paths = readdirSync(src, { recursive: true }).filter(
  (path) => names.length === 0 || names.some((name) => path.includes(name))
)
const broken = new Map()
const survivors = new Set()
let mutants = 0
for (const { sources, tests } of subjects) {
  const mutated = paths.filter((path) => sources.test(path))
  if (mutated.length === 0) continue
  for (const path of mutated) broken.set(path, readFileSync(join(src, path), "utf8").split("\n"))
  for (const mutant of await breakAll(mutated, tests)) {
    mutants++
    const path = relative(src, mutant.fileName)
    if (survived(mutant)) survivors.add(`${path}\n${diffOf(broken.get(path), mutant)}`)
  }
}
const known = new Set(explained().filter((one) => broken.has(one.slice(0, one.indexOf("\n")))))
const unexplained = [...survivors].filter((one) => !known.has(one))
const noticed = [...known].filter((one) => !survivors.has(one))
for (const one of unexplained) console.log(`\nnobody notices ${one}`)
for (const one of noticed) console.log(`\nexplained in ${explanations}, and a test notices ${one}`)
console.log(
  `\n${mutants} mutants: ${known.size - noticed.length} explained, ${unexplained.length} not explained, ` +
    `${noticed.length} explained though noticed`
)
process.exit(mutants > 0 && unexplained.length + noticed.length === 0 ? 0 : 1)
