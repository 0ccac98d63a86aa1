// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the files write ${NAME}
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ask, call, chatBody, get } from "../support/caller.ts"
import { eventually } from "../support/eventually.ts"
import { chat } from "../support/gateway.ts"
import { takenPort } from "../support/ports.ts"
import { command, fileOf, program } from "../support/program.ts"
import { content, fails, finish, held, role, silence, wall } from "../support/wall.ts"
import { two } from "../support/workers.ts"

const streamed = { body: chatBody({ stream: true }) }
const drains = (url: string, drain: string) => chat([url]).replace("drain: 1s", `drain: ${drain}`)
const timeout = 60_000

describe("the program", () => {
  it.scopedLive(
    "on SIGTERM lets a stream in flight finish, takes nothing new and exits with 0",
    () =>
      Effect.gen(function* () {
        const only = yield* wall
        const { behaviour, end, send } = held()
        only.script(behaviour)
        const { lines, stop, url } = yield* program(drains(only.url, "1h"))
        const { answer, text } = yield* call(url, streamed)
        yield* eventually(() => only.received.length === 1)
        send(role, content("Hel"))
        yield* eventually(() => text().includes("Hel"))
        const exited = stop()
        yield* Effect.repeat(get(url, "/health/live"), { until: ({ status }) => status === 0 })
        send(content("lo"), finish)
        end()
        const { text: all, whole } = yield* answer
        assert.isTrue(whole)
        assert.isTrue(all.endsWith("data: [DONE]\n\n"))
        assert.strictEqual(yield* Effect.promise(() => exited), 0)
        assert.deepStrictEqual(
          lines.map(({ message, outcome }) => [message, outcome]),
          [
            ["listening", undefined],
            ["attempt", "success"],
            ["run", "success"]
          ]
        )
      }),
    timeout
  )

  it.scopedLive(
    "with --quiet logs a line for a run and none for its attempts",
    () =>
      Effect.gen(function* () {
        const [first, second] = [yield* wall, yield* wall]
        first.script(fails(503))
        const tier = "retry: { times: 0 }, breaker: { consecutive: 1 }"
        const { file, lines, url } = yield* program(chat([first.url, second.url], { tier }), {}, ["--quiet"])
        assert.deepInclude(lines[0], { message: "listening", url, serves: file })
        yield* ask(url)
        yield* eventually(() => lines.length === 3)
        assert.deepStrictEqual(
          lines.map(({ message }) => message),
          ["listening", "breaker", "run"]
        )
        // Nobody has asked for spans, so there are none.
        assert.isFalse(lines.some((line) => "trace_id" in line))
      }),
    timeout
  )

  it.scopedLive(
    "has nothing but its log on stdout: that the last spans were not delivered is said on stderr",
    () =>
      Effect.gen(function* () {
        const only = yield* wall
        const env = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9", OTEL_LOG_LEVEL: "none" }
        const { complaints, lines, stop, url } = yield* program(chat([only.url]), env)
        yield* ask(url)
        assert.strictEqual(yield* Effect.promise(() => stop()), 0)
        yield* eventually(() => complaints().endsWith("\n"))
        assert.match(complaints(), /^understudy: telemetry: the last of it was not delivered: .+\n$/)
        assert.deepStrictEqual(
          lines.map(({ message }) => message),
          ["listening", "attempt", "run"]
        )
      }),
    timeout
  )

  it.scopedLive(
    "ends what takes longer than drain, and exits with 0 all the same",
    () =>
      Effect.gen(function* () {
        const only = yield* wall
        only.script(silence)
        const { stop, url } = yield* program(drains(only.url, "50ms"))
        const { answer } = yield* call(url)
        yield* eventually(() => only.received.length === 1)
        assert.strictEqual(yield* Effect.promise(() => stop("SIGINT")), 0)
        const { status, whole } = yield* answer
        assert.deepStrictEqual([status, whole], [503, true])
        yield* eventually(() => only.received[0]?.abandoned === true)
      }),
    timeout
  )

  it.scopedLive(
    "does not wait any longer after a second signal, and says what that has cut off",
    () =>
      Effect.gen(function* () {
        const only = yield* wall
        only.script(silence)
        for (const [args, signal, code] of [
          [[], "SIGTERM", 143],
          [two, "SIGINT", 130]
        ] as const) {
          const { complaints, stop, url } = yield* program(drains(only.url, "1h"), {}, args)
          const before = only.received.length
          for (let n = 0; n < 3; n++) yield* call(url)
          yield* eventually(() => only.received.length === before + 3)
          void stop()
          yield* Effect.repeat(get(url, "/health/live"), { until: ({ status }) => status === 0 })
          assert.strictEqual(yield* Effect.promise(() => stop(signal)), code)
          yield* eventually(() => complaints() !== "")
          assert.strictEqual(
            complaints(),
            `understudy: a second ${signal} has ended it at once, and cut off 3 requests\n`
          )
        }
      }),
    timeout
  )

  it.scopedLive(
    "outlives what no caller should send",
    () =>
      Effect.gen(function* () {
        const only = yield* wall
        const { lines, stop, url } = yield* program(chat([only.url], { server: "maxBody: 1kB" }))
        const hostile = [" ".repeat(2000), "", "{", '{"model":"a\\r\\nb"}', '{"model":"__proto__"}']
        for (const body of hostile) assert.isAtLeast((yield* ask(url, { body })).status, 400)
        assert.strictEqual((yield* ask(url)).status, 200)
        yield* eventually(() => lines.length === 3)
        assert.strictEqual(yield* Effect.promise(() => stop()), 0)
      }),
    timeout
  )
})

const good = {
  providers: "up: { kind: openai, baseUrl: http://127.0.0.1:1/v1 }",
  tiers: "[ { name: a, provider: up, model: m } ]"
}

const file = ({ providers, tiers }: Partial<typeof good>): string =>
  `providers:\n  ${providers ?? good.providers}\nroutes:\n  chat:\n    tiers: ${tiers ?? good.tiers}\n`

/** What follows the file's name: place, reason, remedy. */
const refusals: Readonly<Record<string, readonly [string, RegExp]>> = {
  "an unknown key": [
    file({ tiers: "[ { name: a, provider: up, model: m, timout: 5s } ]" }),
    /^:5:\d+ routes\.chat\.tiers\[0\]\.timout: unknown key; did you mean "timeout"\?$/
  ],
  "a missing variable": [
    file({ providers: 'up: { kind: openai, baseUrl: http://127.0.0.1:1/v1, apiKey: "${NO_SUCH_KEY}" }' }),
    /^:2:\d+ providers\.up\.apiKey: .*NO_SUCH_KEY.*; .+$/
  ],
  "a bad duration": [
    file({ tiers: "[ { name: a, provider: up, model: m, timeout: fast } ]" }),
    /^:5:\d+ routes\.chat\.tiers\[0\]\.timeout: cannot use "fast"; expected .*20s.*$/
  ],
  "no tiers": [file({ tiers: "[]" }), /^:5:\d+ routes\.chat\.tiers: .+; .+$/],
  "the same tier twice": [
    file({ tiers: "[ { name: a, provider: up, model: m }, { name: a, provider: up, model: n } ]" }),
    /^:5:\d+ routes\.chat\.tiers.*: .*"?a"?.*; .+$/
  ],
  "an unknown provider": [
    file({ tiers: "[ { name: a, provider: upp, model: m } ]" }),
    /^:5:\d+ routes\.chat\.tiers\[0\]\.provider: unknown provider "upp"; did you mean "up"\?$/
  ],
  "no YAML": ["providers: {", /^:\d+:\d+: .+; .+$/]
}

describe("the program, given", () => {
  for (const [name, [yaml, expected]] of Object.entries(refusals)) {
    it.live(
      `${name}, exits with 1 and one line: file, place, reason, remedy`,
      () =>
        Effect.gen(function* () {
          const path = fileOf(yaml)
          const { code, stderr, stdout } = yield* command(["serve", path, "--port", "0", "--log", "json"])
          assert.deepStrictEqual([code, stdout], [1, ""])
          assert.isTrue(stderr.startsWith(`understudy: ${path}`) && stderr.endsWith("\n"), stderr)
          assert.match(stderr.slice(`understudy: ${path}`.length, -1), expected)
        }),
      timeout
    )
  }

  it.live(
    "a file that is not there, a command or an option that it does not know: the same",
    () =>
      Effect.gen(function* () {
        const lines = [
          [["serve", "nowhere.yaml"], /^understudy: nowhere\.yaml: no such file; .+\n$/],
          [["sevre"], /^understudy: unknown command "sevre"; .+\n$/],
          [["serve", "--prot", "1"], /^understudy: .*'--prot'.*; .+\n$/],
          [["serve", "--port", "http"], /^understudy: --port takes .+; .+\n$/],
          [["serve", "--log", "xml"], /^understudy: --log takes .+; .+\n$/]
        ] as const
        for (const [args, expected] of lines) {
          const { code, stderr, stdout } = yield* command(args)
          assert.deepStrictEqual([code, stdout], [1, ""])
          assert.match(stderr, expected)
        }
      }),
    timeout
  )

  it.scopedLive(
    "a port that is taken: the same",
    () =>
      Effect.gen(function* () {
        const port = yield* takenPort
        const { code, stderr, stdout } = yield* command(["serve", fileOf(file({})), "--port", `${port}`])
        assert.deepStrictEqual([code, stdout], [1, ""])
        assert.match(stderr, new RegExp(`^understudy: cannot listen on 127\\.0\\.0\\.1:${port}: .+; .+\\n$`))
      }),
    timeout
  )
})
