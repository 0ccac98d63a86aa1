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
  { sources: /^Backoff/, tests: ["Backoff*.test.ts"] },
  { sources: /^Deadline/, tests: ["Deadline.test.ts"] },
  { sources: /^Outcome/, tests: ["Outcome.test.ts"] },
  { sources: /^RetryBudget/, tests: ["RetryBudget*.test.ts"] },
  { sources: /^internal\/health\/rolling/, tests: ["rolling.test.ts"] },
  {
    sources: /^internal\/breaker\/config/,
    tests: ["CircuitBreaker.test.ts", "CircuitBreaker.counts.test.ts", "CircuitBreaker.file.test.ts"]
  },
  { sources: /^internal\/breaker\/file/, tests: ["CircuitBreaker.file.test.ts"] },
  {
    sources: /^(CircuitBreaker|internal\/breaker\/(breaker|machine|state|window))\.ts/,
    tests: ["CircuitBreaker.*test.ts", "FallbackStream.breaker.test.ts"]
  },
  { sources: /^internal\/fiber\/timer/, tests: ["timer.test.ts"] },
  {
    sources: /^internal\/run\/(plan|waits)/,
    tests: [
      "plan.test.ts",
      "Backoff.schedule.test.ts",
      "Fallback.test.ts",
      "Fallback.bounds.test.ts",
      "budget.test.ts"
    ]
  }
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

/** Where a mutant is met while the modules load, none may: no test fails then, for none has been found. */
const survived = ({ static: whileLoading, status, testsCompleted }) =>
  status === "NoCoverage" || (status === "Survived" && (testsCompleted > 0 || !whileLoading))

/** The lines that a mutant changes: what it is known by, wherever in its file they are. */
const diffOf = (source, { location: { start, end }, replacement }) => {
  const lines = source.slice(start.line - 1, end.line)
  const after = lines[0].slice(0, start.column - 1) + replacement + lines.at(-1).slice(end.column - 1)
  const signed = (sign, text) => text.map((line) => `${sign} ${line.trim()}`)
  return [...signed("-", lines), ...signed("+", after.split("\n"))].join("\n")
}

const pathOf = (known) => known.slice(0, known.indexOf("\n"))

const explained = readFileSync(join(root, explanations), "utf8")
  .split(/^## /m)
  .slice(1)
  .flatMap((section) =>
    [...section.matchAll(/^```diff\n([\s\S]*?)\n```$/gm)].map(([, diff]) => `${pathOf(section)}\n${diff}`)
  )

const names = process.argv.slice(2)
const chosen = (path) => names.length === 0 || names.some((name) => path.includes(name))
const paths = readdirSync(src, { recursive: true })
const counts = { mutants: 0, explained: 0, wrong: 0 }
const complain = (what, known) => {
  counts.wrong++
  console.log(`\n${what}: ${known}`)
}

for (const { sources, tests } of subjects) {
  const mutated = paths.filter((path) => sources.test(path))
  if (mutated.length === 0) throw new Error(`no file is ${sources}`)
  const wanted = mutated.filter(chosen)
  if (wanted.length === 0) continue
  const lines = new Map(wanted.map((path) => [path, readFileSync(join(src, path), "utf8").split("\n")]))
  const mutants = await breakAll(wanted, tests)
  const survivors = mutants.filter(survived).map((mutant) => {
    const path = relative(src, mutant.fileName)
    return `${path}\n${diffOf(lines.get(path), mutant)}`
  })
  const unexplained = survivors.filter((one) => !explained.includes(one))
  const noticed = explained.filter((one) => lines.has(pathOf(one)) && !survivors.includes(one))
  for (const one of unexplained) complain("no test notices", one)
  for (const one of noticed) complain(`${explanations} explains, and a test notices`, one)
  counts.mutants += mutants.length
  counts.explained += survivors.length - unexplained.length
}
for (const path of new Set(explained.map(pathOf))) {
  const broken = paths.includes(path) && subjects.some(({ sources }) => sources.test(path))
  if (!broken) complain(`${explanations} explains what is not broken`, path)
}

console.log(`\n${counts.mutants} mutants, ${counts.explained} explained, ${counts.wrong} to be seen to`)
process.exit(counts.mutants > 0 && counts.wrong === 0 ? 0 : 1)
