import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { build } from "esbuild"
import { assert, beforeAll, describe, it } from "vitest"
import { bin, consumer, pack, prints, run, typescript59 } from "./packed.ts"

const strict = {
  compilerOptions: {
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: false,
    module: "nodenext",
    target: "es2022",
    lib: ["es2023", "dom"],
    types: ["node"],
    noEmit: true
  },
  files: ["main.ts"]
}

const typed = `import { Fallback, FallbackStream, Health, Policy, Tier } from "@understudy/core"
import { Config, Gateway } from "@understudy/gateway"
import { ChatModel, OpenAiRouter, Provider } from "@understudy/http"
import { Telemetry } from "@understudy/otel"
import { Effect, type Layer, type Scope, Stream } from "effect"

class Down {
  readonly _tag = "Down"
}
const tiers = Tier.make({ name: "a", effect: Effect.fail(new Down()) }).pipe(
  Fallback.orElse(Tier.make({ name: "b", effect: Effect.succeed(42) }))
)
export const answer: Effect.Effect<number, Down | Fallback.AllTiersFailed<Down>> = tiers
// @ts-expect-error its errors are not none
export const never: Effect.Effect<number> = tiers
// @ts-expect-error an effect is no tier
Fallback.orElse(tiers, Effect.succeed(42))
// @ts-expect-error nor is a stream
FallbackStream.orElse(FallbackStream.tier({ name: "a", stream: Stream.empty }), Stream.empty)
export const telemetry: Layer.Layer<never> = Telemetry.layerJaeger()
export const rest = [FallbackStream, Health, Policy, Config, Gateway, ChatModel, OpenAiRouter, Provider]
export type Rest = Scope.Scope | Stream.Stream<number>
`

/** The packages as they would be published, in a fresh consumer that knows nothing of this workspace. */
describe("packed packages", () => {
  let tarballs: ReadonlyArray<string> = []
  let folder = ""
  beforeAll(async () => {
    tarballs = await pack()
    folder = await consumer(tarballs, "npm")
  }, 300_000)

  it("are well formed", { timeout: 120_000 }, async () => {
    assert.lengthOf(tarballs, 4)
    for (const tarball of tarballs) {
      await run(bin("publint"), [tarball, "--strict"], folder)
      await run(bin("attw"), [tarball, "--profile", "esm-only"], folder)
    }
  })

  it("run on plain Node, internals closed", { timeout: 60_000 }, async () => {
    assert.strictEqual(await run(process.execPath, ["main.js"], folder), prints)
  })

  it("have no peer that is not met", { timeout: 60_000 }, async () => {
    // Fails with what is missing or does not fit.
    await run("npm", ["ls", "--all"], folder)
  })

  it("type-check with TypeScript 7 and 5.9, libraries included", { timeout: 300_000 }, async () => {
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(strict))
    writeFileSync(join(folder, "main.ts"), typed)
    for (const tsc of [bin("tsc"), typescript59]) {
      assert.strictEqual(await run(tsc, ["-p", "."], folder).catch(({ stdout }) => stdout), "")
    }
  })

  it("core alone is for browsers too, and whoever asks for one module by name gets as little", {
    timeout: 60_000
  }, async () => {
    const bundled = async (contents: string) => {
      const { metafile } = await build({
        stdin: { contents, resolveDir: folder },
        bundle: true,
        minify: true,
        write: false,
        metafile: true,
        format: "esm",
        platform: "browser",
        outfile: "out.js"
      })
      const inputs = Object.entries(metafile.outputs["out.js"]?.inputs ?? {})
      const bytes = (ours: boolean) =>
        inputs.reduce(
          (sum, [path, { bytesInOutput }]) =>
            path.includes("@understudy") === ours ? sum + bytesInOutput : sum,
          0
        )
      return { ours: bytes(true), effect: bytes(false) }
    }
    const use = "console.log(Fallback.orElse, Tier.make)"
    const whole = await bundled(`import { Fallback, Tier } from "@understudy/core"; ${use}`)
    const apart = await bundled(
      `import * as Fallback from "@understudy/core/Fallback"; import * as Tier from "@understudy/core/Tier"; ${use}`
    )
    assert.isAtMost(whole.ours + whole.effect, (apart.ours + apart.effect) * 1.05)
    // The guide says how much.
    const guide = readFileSync(join(import.meta.dirname, "../../docs/benchmarks.md"), "utf8")
    const [, said = ""] = /(\d+) kB of its own/.exec(guide) ?? []
    assert.approximately(apart.ours / 1000, Number(said), Number(said) * 0.1)
  })
})
