import { spawn } from "node:child_process"
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { assert, beforeAll, describe, it } from "vitest"
import { grpcCollector, httpCollector } from "../support/collector.ts"
import { alone, pack, run } from "./packed.ts"

const policy = `
server: { port: 0 }
providers: { near: { kind: sandbox, latency: 1ms } }
routes:
  chat:
    tiers: [ { name: only, provider: near, model: large } ]
    alert: { tier: only, successBelow: 0.9 }
`

/** The program as somebody has it who installs the gateway and nothing else. */
describe("the packed gateway alone", () => {
  let folder = ""
  const installed = () => join(folder, "node_modules")
  const bundle = () => join(installed(), "@understudy/gateway/dist/bundle")
  const programs = () => readdirSync(bundle()).filter((name) => name.endsWith(".mjs"))
  beforeAll(async () => {
    const [tarball = ""] = await pack(["gateway"])
    folder = await alone(tarball)
    writeFileSync(join(folder, "understudy.yaml"), policy)
  }, 300_000)

  it("is one package, as small as the guide says", { timeout: 60_000 }, async () => {
    assert.deepStrictEqual(
      readdirSync(installed()).filter((name) => !name.startsWith(".")),
      ["@understudy"]
    )
    assert.deepStrictEqual(readdirSync(join(installed(), "@understudy")), ["gateway"])
    const guide = readFileSync(join(import.meta.dirname, "../../docs/performance.md"), "utf8")
    const [, ...said] = /(\d+\.\d) MB on disk, of which ([\d.]+) MB are the bundle/.exec(guide) ?? []
    const [onDisk = "0"] = (await run("du", ["-sk", "node_modules"], folder)).split("\t")
    assert.isAtMost(Number(onDisk) / 1000, 40)
    const code = programs().reduce((sum, name) => sum + readFileSync(join(bundle(), name)).length, 0)
    for (const [index, bytes] of [Number(onDisk) * 1000, code].entries()) {
      assert.approximately(bytes / 1e6, Number(said[index]), Number(said[index]) * 0.1)
    }
  })

  it("is written in ASCII, which takes a quarter of the time to read that other text takes", () => {
    const others = programs().filter((name) => readFileSync(join(bundle(), name)).some((byte) => byte > 0x7f))
    assert.deepStrictEqual(others, [])
  })

  it("names no folder of the machine that it was built on", () => {
    const root = join(import.meta.dirname, "../..")
    const naming = readdirSync(bundle()).filter((name) => readFileSync(join(bundle(), name)).includes(root))
    assert.deepStrictEqual(naming, [])
  })

  it("passes on the licences of what is in it", () => {
    const text = readFileSync(join(bundle(), "THIRD-PARTY.txt"), "utf8")
    for (const name of ["effect 3", "undici 7", "yaml 2", "@opentelemetry/sdk-node 0", "@grpc/grpc-js 1"]) {
      assert.include(text, `\n${name}.`)
    }
    assert.include(text, "Permission is hereby granted")
    assert.include(text, "Apache License")
  })

  it("has all of its commands", { timeout: 120_000 }, async () => {
    assert.include(await run("npx", ["understudy", "check"], folder), "understudy.yaml is valid.")
    for (const [args, expected] of commands) {
      const printed = await run(process.execPath, [join(installed(), ".bin/understudy"), ...args], folder)
      assert.include(printed, expected, args.join(" "))
    }
  })

  for (const [protocol, collector] of [
    ["http/protobuf", httpCollector],
    ["http/json", httpCollector],
    ["grpc", grpcCollector]
  ] as const) {
    it(`serves, whatever becomes of its files, and sends traces over ${protocol}`, {
      timeout: 60_000
    }, async () => {
      const { close, received, url } = await collector()
      try {
        await serveOnce(folder, { OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_EXPORTER_OTLP_PROTOCOL: protocol })
        assert.isTrue(received.some((body) => body.includes("fallback chat")))
      } finally {
        close()
      }
    })
  }
})

const log = join(import.meta.dirname, "../../docs/sample.log")

const commands = [
  [["check", "--json"], '"bounds"'],
  [["simulate", "--load", "0.1", "--svg", "picture.svg"], "upstream calls"],
  [["probe"], "success"],
  [["rules"], "groups:"],
  [["rules", "--grafana"], '"panels"'],
  [["schema"], '"$schema"'],
  [["completion", "bash"], "complete"],
  [["report", log, "--html", "report.html"], "chat"],
  [["replay", log], "# Of "],
  [["--version"], "0."],
  [["--help"], "understudy serve"]
] as const satisfies ReadonlyArray<readonly [ReadonlyArray<string>, string]>

/** Serves one answer, reads its file anew, and ends by a signal; from when it listens on without its own files. */
const serveOnce = async (folder: string, env: Readonly<Record<string, string>>): Promise<void> => {
  const program = join(folder, "node_modules/.bin/understudy")
  const bundle = join(folder, "node_modules/@understudy/gateway/dist/bundle")
  const gateway = spawn(process.execPath, [program, "serve", "--log", "json"], {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "inherit"]
  })
  const ended = new Promise((resolve) => gateway.on("exit", resolve))
  let url = ""
  const on: Readonly<Record<string, () => Promise<void> | void>> = {
    listening: async () => {
      renameSync(bundle, `${bundle}.gone`)
      const body = JSON.stringify({ model: "chat", messages: [{ role: "user", content: "Who?" }] })
      const answer = await fetch(`${url}/v1/chat/completions`, { method: "POST", body })
      assert.strictEqual(answer.status, 200, await answer.text())
      for (const page of ["/", "/status", "/metrics"]) assert.isTrue((await fetch(`${url}${page}`)).ok, page)
      gateway.kill("SIGHUP")
    },
    reload: () => void gateway.kill("SIGTERM")
  }
  try {
    for await (const text of createInterface({ input: gateway.stdout })) {
      const line = JSON.parse(text)
      url = line.url ?? url
      await on[line.message]?.()
    }
    assert.strictEqual(await ended, 0)
  } finally {
    gateway.kill("SIGKILL")
    if (existsSync(`${bundle}.gone`)) renameSync(`${bundle}.gone`, bundle)
  }
}
