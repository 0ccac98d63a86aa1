import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Config } from "@understudy/gateway"
import { Either } from "effect"

const root = join(import.meta.dirname, "../..")
const guides = ["README.md", ...readdirSync(join(root, "docs")).map((name) => `docs/${name}`)]

/** Any variable has a value that is good for all there is. */
const env = new Proxy({}, { get: () => "https://example.com" })

/** Of a file that shows a part alone, the rest: a route to each of its providers, or the provider it asks. */
const whole = (text: string): string => {
  const names = [...text.matchAll(/^ {2}([\w-]+):/gm)].map(([, name]) => name)
  if (text.includes("routes:")) return text
  return `${text}\nroutes:\n${names.map((name) => `  r-${name}: { tiers: [ { name: t, provider: ${name}, model: m } ] }`).join("\n")}`
}

describe("every file in the guides is one that the gateway takes", () => {
  for (const guide of guides) {
    const text = readFileSync(join(root, guide), "utf8")
    // What the simulator reads is no file of the gateway's; the guide to it runs its own.
    const files = [...text.matchAll(/^```yaml\n(?!# outage)([\s\S]*?)^```$/gm)]
    for (const [index, match] of files.entries()) {
      it(`${guide}, file ${index + 1}`, () => {
        const config = Config.parse(whole(match[1] ?? ""), guide, env)
        assert.isTrue(Either.isRight(config), Either.isLeft(config) ? config.left.message : "")
      })
    }
  }
})
