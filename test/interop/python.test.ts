import { execFile } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { chat, gateway } from "../support/gateway.ts"
import { answer, fails, role, stream, wall } from "../support/wall.ts"
import { installPythonOpenAi } from "./counterparts.mjs"
import { withCounterpart } from "./support.ts"

withCounterpart("python", () => {
  it.scopedLive("the guide's program needs one call where it had a loop over three models", () =>
    Effect.gen(function* () {
      const [first, second, third] = [yield* wall, yield* wall, yield* wall]
      first.script(fails(503))
      second.script(fails(429), stream([role], "reset"))
      third.script(answer(["The ", "understudy."]))
      const { url } = yield* gateway(
        chat([first.url, second.url, third.url], {
          tier: "retry: { times: 0 }",
          // biome-ignore lint/suspicious/noTemplateCurlyInString: what stands in the file
          server: 'apiKeys: ["${KEY}"]'
        }),
        { KEY: "sk-caller" }
      )
      const installed = yield* Effect.promise(installPythonOpenAi)
      assert(installed.ok)
      const { stdout } = yield* Effect.promise(() =>
        promisify(execFile)(installed.python, [join(import.meta.dirname, "guide.py")], {
          env: { ...process.env, OPENAI_BASE_URL: `${url}/v1`, OPENAI_API_KEY: "sk-caller" }
        })
      )
      assert.deepStrictEqual(stdout.trim().split("\n"), [
        "model3 tier3 The understudy.",
        "model3 The understudy."
      ])
    })
  )
})
