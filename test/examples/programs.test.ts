import { spawn } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { basename, join } from "node:path"
import { createInterface } from "node:readline"
import { assert, beforeAll, describe, it } from "@effect/vitest"
import { programs } from "../../scripts/lib/bundle.mjs"

const folder = join(import.meta.dirname, "../../examples")
const outdir = join(folder, "dist")
const names = readdirSync(folder).flatMap((file) => (file.endsWith(".ts") ? basename(file, ".ts") : []))

/** What each prints, or says when it is asked. */
const expected: Readonly<Record<string, ReadonlyArray<string> | ((url: string) => Promise<void>)>> = {
  "three-models": [
    "The show goes on: this is sandbox-medium, reading the part. (primary failure, primary failure, primary failure, standby success)",
    "The show goes on: this is sandbox-medium, reading the part. (primary failure, primary failure, standby success)",
    "The show goes on: this is sandbox-medium, reading the part. (standby success)"
  ],
  "shared-policy": ["users from us-east ... images from us-east", "eu-west was asked 3 times"],
  tools: ["It is 4 degrees."],
  "effect-ai": ["The show goes on: this is sandbox-small, reading the part."],
  "policy-laws": [
    "never longer than 20s: holds",
    "never more than 4 calls: holds",
    "standby is reached when those above it are dead: holds",
    "Error: never more than 2 calls: a request became 3 calls",
    "",
    "The smallest script found that makes it happen, for understudy simulate --seed 0 --outage FILE:",
    "",
    "for: 1s",
    "load: { rate: 1, arrivals: even }",
    "upstreams:",
    "  primary: { latency: 100ms, calls: [{ fails: overloaded, retryAfter: 5000.5ms }, ok] }",
    "  standby: { latency: 100ms, calls: [{ fails: overloaded }] }",
    "",
    'To try this case again: { seed: 1, path: "0:0:1:0:1:1:5:2:2:3:3:3:3" }'
  ],
  simulation: [
    "10m, 3000 requests, seed 1",
    "",
    "  served          100 %",
    "  latency         p50 900 ms · p95 900 ms · p99 6.4 s · max 6.4 s",
    "  upstream calls  1.014 a request, at most 2",
    "",
    "  tier     served          calls  failed      refused  breaker open",
    "  primary    1764  58.8 %   1806  42 timeout     1194  9 times, 3m12s in all",
    "  standby    1236  41.2 %   1236                    0"
  ],
  "http-service": async (url) => {
    const ask = (body: object) =>
      fetch(`${url}/ask`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body)
      })
    const answer = await ask({ question: "Who goes on tonight?" })
    assert.match(
      JSON.stringify(await answer.json()),
      /^{"answer":"The show goes on: .*","model":"sandbox-\w+"}$/
    )
    assert.strictEqual((await ask({ question: "" })).status, 400)
  },
  "stream-to-browser": async (url) => {
    assert.include(await (await fetch(url)).text(), "new EventSource")
    const events = (await (await fetch(`${url}/answer`)).text()).trim().split("\n\n")
    const words = events.slice(0, -1).map((event) => JSON.parse(event.replace("event: word\ndata: ", "")))
    assert.strictEqual(words.join(""), "The show goes on: this is sandbox-large, reading the part.")
    assert.strictEqual(events.at(-1), "event: whole\ndata: null")
  },
  "own-gateway": async (url) => {
    const models = (headers: Record<string, string>) => fetch(`${url}/ai/v1/models`, { headers })
    assert.strictEqual((await models({})).status, 401)
    const listed = await models({ authorization: "Bearer for-the-web-shop" })
    assert.nestedPropertyVal(await listed.json(), "data[0].id", "chat")
    assert.strictEqual(await (await fetch(url)).text(), "the application")
  }
}

describe("the programs of examples/", () => {
  beforeAll(
    () =>
      programs(
        names.map((name) => join(folder, `${name}.ts`)),
        { outdir }
      ),
    60_000
  )

  for (const name of names) {
    it(name, { timeout: 60_000 }, async () => {
      const lines = readFileSync(join(folder, `${name}.ts`), "utf8").split("\n").length - 1
      assert.isBelow(lines, 60)
      const does = expected[name]
      assert(does !== undefined, "say here what it is to do")
      const child = spawn(process.execPath, [join(outdir, `${name}.mjs`)], {
        env: { ...process.env, PORT: "0", NO_COLOR: "1" },
        stdio: ["ignore", "pipe", "inherit"]
      })
      try {
        const printed: Array<string> = []
        for await (const line of createInterface({ input: child.stdout })) {
          printed.push(line)
          const [, url] = /Listening on (\S+)/.exec(line) ?? []
          if (url !== undefined && typeof does === "function") {
            await does(url)
            return
          }
        }
        // What comes before names a folder of its own.
        assert.deepStrictEqual(printed.slice(-does.length), does)
      } finally {
        child.kill()
      }
    })
  }
})
