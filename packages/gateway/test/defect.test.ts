import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect } from "effect"
import { ask, envelope } from "../../../test/support/caller.ts"
import { eventually } from "../../../test/support/eventually.ts"
import * as Config from "../src/Config.ts"
import * as Gateway from "../src/Gateway.ts"

const file = `
server: { port: 0 }
providers: { up: { kind: sandbox, latency: 1ms } }
routes: { chat: { tiers: [ { name: primary, provider: up, model: large } ] } }
probe: { every: 1s }
`

describe("a bug that a request meets", () => {
  it.scopedLive(
    "is told with the id of its answer, and one of a synthetic check with that of its lines",
    () =>
      Effect.gen(function* () {
        const config = yield* Config.parse(file, "understudy.yaml", {})
        // As no file can say it.
        const up = { ...config.providers["up"], latency: "soon" } as unknown as Config.Provider
        const heard: Array<readonly [string | undefined, Cause.Cause<unknown>]> = []
        const { url } = yield* Gateway.start({ ...config, providers: { up } }, () => {}, {
          onDefect: (id, cause) => void heard.push([id, cause])
        })
        const answer = yield* ask(url)
        assert.deepStrictEqual([answer.status, envelope(answer).code], [500, "internal_error"])
        yield* eventually(() => heard.some(([id]) => id?.startsWith("probe_")))
        const [[id, cause] = []] = heard.filter(([id]) => id?.startsWith("req_"))
        assert.strictEqual(id, answer.headers["x-request-id"])
        assert.instanceOf(Cause.squash(cause!), Error)
      })
  )
})
