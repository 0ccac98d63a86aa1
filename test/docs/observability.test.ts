import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Log } from "@understudy/gateway"
import { ProviderError } from "@understudy/http"
import { Alerts } from "@understudy/otel"
import { Cause, Effect, Stream } from "effect"
import { ask, chatBody, get } from "../support/caller.ts"
import { eventually } from "../support/eventually.ts"
import { chat, gateway } from "../support/gateway.ts"
import { program } from "../support/program.ts"
import { request, route, seen } from "../support/tracedRun.ts"
import { fails, reset, sends, wall } from "../support/wall.ts"
import { two, workersOf } from "../support/workers.ts"
import { code, table } from "./guide.ts"

const root = join(import.meta.dirname, "../..")
const guide = readFileSync(join(root, "docs/observability.md"), "utf8")

/** What stands in backticks in the first cells of a table. */
const named = (head: string, text = guide): ReadonlyArray<string> =>
  table(text, head).flatMap(([cell = ""]) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name))

/** The sources below a folder, without their docstrings. */
const sources = (folder: string): string =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => readFileSync(join(root, folder, name), "utf8").replaceAll(/^ *\*.*$/gm, ""))
    .join("\n")

/** The texts that a type of a source is made of. */
const union = (file: string, type: string): ReadonlyArray<string> => {
  const [, texts = ""] =
    new RegExp(`type ${type} =([^;]*?)\\n\\n`).exec(readFileSync(join(root, file), "utf8")) ?? []
  return [...texts.matchAll(/"([\w-]+)"/g)].map(([, text = ""]) => text)
}

describe("the guide to what can be seen", () => {
  it.scopedLive("lists every metric with its type and labels", () =>
    Effect.gen(function* () {
      const [first, second] = [yield* wall, yield* wall]
      first.script(fails(503))
      const { url } = yield* gateway(
        chat([first.url, second.url], {
          tier: "breaker: { consecutive: 1 }",
          route: "alert: { tier: tier1 }"
        })
      )
      for (const stream of [false, true]) yield* ask(url, { body: chatBody({ stream }) })
      const lines = (yield* get(url, "/metrics")).text.split("\n")
      const metrics = lines
        .filter((line) => line.startsWith("# TYPE"))
        .map((line) => {
          const [, , name = "", type = ""] = line.split(" ")
          const sample = lines.find((line) =>
            line.startsWith(`${name}${type === "histogram" ? "_count" : ""}{`)
          )
          const labels = [...(sample?.matchAll(/[{,](\w+)="/g) ?? [])].map(([, label = ""]) => code(label))
          return [code(name), type, labels.join(", ")]
        })
      assert.sameDeepMembers([...table(guide, "name")] as unknown as typeof metrics, metrics)
    })
  )

  it("asks Prometheus what the rules ask", () => {
    const recorded = Alerts.rules([]).flatMap(({ rules }) => rules.map(({ expr }) => expr))
    const shown = [...guide.matchAll(/```promql\n(.*)\n```/g)].map(([, expr]) => expr)
    assert.lengthOf(shown, 4)
    assert.includeMembers(recorded, shown as never)
  })

  it("lists every label, and what each of their values means", () => {
    const labels = table(guide, "name").flatMap(([, , cell = ""]) => cell.replaceAll("`", "").split(", "))
    assert.sameMembers([...named("label")], [...new Set(labels)])
    const attempts = "packages/core/src/Attempt.ts"
    assert.deepStrictEqual([...named("`outcome` of an attempt")], union(attempts, "AttemptOutcome"))
    assert.deepStrictEqual([...named("`outcome` of a request")], union(attempts, "RunOutcome"))
    assert.deepStrictEqual(
      [...named("`reason` of a breaker")],
      union("packages/core/src/internal/breaker/state.ts", "Reason")
    )
    const core = sources("packages/core/src")
    const types = [...core.matchAll(/(?:errorType: |circuitOpen = )"(\w+)"/g)].map(([, type = ""]) => type)
    assert.sameMembers([...named("another `error_type`")], [...new Set(types)])
    assert.isEmpty(types.filter((type) => (ProviderError.kinds as ReadonlyArray<string>).includes(type)))
  })

  it.scopedLive(
    "lists every line of the log with its fields",
    () =>
      Effect.gen(function* () {
        const [first, second, collector] = [yield* wall, yield* wall, yield* wall]
        first.script(reset, fails(503))
        collector.script(sends(200, "application/json", "{}"))
        const yaml = `${chat([first.url, second.url], {
          tier: "retry: { times: 0 }, breaker: { consecutive: 1, openFor: 1ms, jitter: 0 }",
          route: "alert: { tier: tier1, atLeast: 1 }"
        })}\nprobe: { every: 1s, breakers: true }`
        const running = yield* program(
          yaml,
          {
            OTEL_EXPORTER_OTLP_ENDPOINT: collector.url.replace("/v1", ""),
            OTEL_EXPORTER_OTLP_PROTOCOL: "http/json"
          },
          two
        )
        const { file, lines, signal, url } = running
        const logged = (message: string, has: (line: Record<string, unknown>) => boolean = () => true) =>
          lines.filter((line) => line["message"] === message && has(line))
        yield* ask(url)
        yield* eventually(() => logged("alert").length > 0)
        yield* eventually(() => logged("run", (line) => line["synthetic"] === true).length > 1)
        // Until the others open for a while.
        writeFileSync(file, yaml.replace("openFor: 1ms", "openFor: 1h").replace("drain: 1s", "drain: 2s"))
        signal("SIGHUP")
        yield* eventually(() => logged("reload").length === 1)
        for (let n = 0; n < 6; n++) yield* ask(url)
        yield* eventually(() => logged("refused", (line) => line["synthetic"] === true).length > 0)
        writeFileSync(file, "routes: {}")
        signal("SIGHUP")
        yield* eventually(() => logged("reload").length === 2)
        process.kill(workersOf(running)[0] ?? 0, "SIGKILL")
        yield* eventually(() => logged("worker").length === 2)
        // No program meets one that we know of.
        const bug = Log.defect("req_1", Cause.die(new TypeError("a bug")), new Date())
        lines.push(JSON.parse(Log.render(bug, "json")))
        const messages = named("`message`")
        assert.sameMembers([...messages], [...new Set(lines.map((line) => String(line["message"])))])
        for (const message of messages) {
          const fields = new Set(logged(message).flatMap((line) => Object.keys(line)))
          for (const common of ["timestamp", "level", "message"]) assert.isTrue(fields.delete(common))
          const listed = named("field", guide.slice(guide.indexOf(`### \`${message}\`\n`)))
          assert.sameMembers([...listed], [...fields], message)
          const levels = table(guide, "`message`").find(([cell]) => cell === code(message))?.[1] ?? ""
          for (const line of logged(message)) assert.include(levels, code(String(line["level"])))
        }
        const states = table(guide, "label").find(([cell]) => cell === "`from`, `to`")?.[1] ?? ""
        for (const { from, reason, to } of logged("breaker")) {
          for (const state of [from, to]) assert.include(states, code(String(state)))
          assert.include(named("`reason` of a breaker"), String(reason))
        }
      }),
    60_000
  )

  it.effect("lists every attribute, and the spans that it is on", () =>
    Effect.gen(function* () {
      const written = [
        ...["core", "http", "gateway"].map((name) => sources(`packages/${name}/src`)),
        readFileSync(join(root, "packages/otel/src/internal/tracer.ts"), "utf8"),
        // What it goes out under as well.
        /const alias.*?\n}/s.exec(readFileSync(join(root, "packages/otel/src/GenAi.ts"), "utf8"))?.[0] ?? ""
      ].join("\n")
      const names = [...written.matchAll(/"((?:understudy|gen_ai|server|http|error|status)\.[a-z._]+)"/g)]
      const used = [...written.matchAll(/used\["([\w.]+)"\] = /g)]
      const attributes = [
        ...names
          .map(([, name = ""]) => name)
          .filter((name) => !/^(server\.[a-z]+[A-Z]|understudy\.yaml)/.test(name)),
        ...used.map(([, unit = ""]) => `gen_ai.usage.${unit}`)
      ]
      assert.sameMembers([...named("attribute")], [...new Set(attributes)])

      const on = new Map(
        table(guide, "attribute").flatMap(([cell = "", spans = ""]) =>
          cell.split(", ").map((name) => [name.replaceAll("`", ""), spans.split(", ")] as const)
        )
      )
      const broken = yield* route([{ status: 503 }, { breaks: "reset", after: 2 }], {
        tier: { retry: { times: 1 } }
      })
      const open = yield* route([{ status: 401 }])
      const trees = [
        yield* seen(broken.complete(request({ temperature: 1, n: 2 }))),
        yield* seen(Stream.runDrain((yield* route(["ok"])).stream(request({}, true)))),
        yield* seen((yield* route(["hang"])).complete(request()), "1 second"),
        yield* seen(Effect.zipRight(open.complete(request()), open.complete(request())))
      ]
      const kinds: Readonly<Record<string, string>> = { fallback: "run", chat: "tier", attempt: "attempt" }
      const found = new Set<string>()
      for (const tree of trees) {
        let span = ""
        for (const line of tree.map((line) => line.trim())) {
          const [word = ""] = line.split(" ")
          const event = /^\* tier refused at \d+ (.*)$/.exec(line)
          if (event !== null)
            for (const name of Object.keys(JSON.parse(event[1] ?? ""))) found.add(`${name} refusal`)
          else if (line.includes("=")) found.add(`${line.split("=")[0]} ${span}`)
          else span = kinds[word] ?? span
        }
      }
      assert.isAbove(found.size, 25)
      for (const each of found) {
        const [name = "", span = ""] = each.split(" ")
        assert.include(on.get(name) ?? [], span, name)
      }
    })
  )
})
