import { assert, describe, it } from "@effect/vitest"
import { Policy } from "@understudy/core"
import { Effect, Schema } from "effect"
import * as Anthropic from "../src/Anthropic.ts"
import * as Callers from "../src/Callers.ts"
import * as OpenAiCompatible from "../src/OpenAiCompatible.ts"
import * as OpenAiRouter from "../src/OpenAiRouter.ts"
import type { Provider } from "../src/Provider.ts"
import * as Route from "../src/Route.ts"
import { message } from "./anthropic.ts"
import { answer, bytes, scripted } from "./scripted.ts"

const openAi = (): Provider =>
  OpenAiCompatible.make({ name: "o", baseUrl: "http://x/v1", upstream: scripted({ body: answer }).upstream })
const anthropic = (): Provider =>
  Anthropic.make({ name: "a", upstream: scripted({ body: message() }).upstream })

/** The statuses of what this provider's only tier answers to these bodies, one after the other. */
const statuses = (provider: Provider, bodies: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const { tiers, ...policy } = Schema.decodeSync(Policy.Policy)({ tiers: [{ name: "only" }] })
    const route = yield* Route.make("chat", { ...policy, tiers: [{ ...tiers[0], provider, model: "m" }] })
    const handle = OpenAiRouter.make({ routes: [route], callers: Callers.anyone })
    return yield* Effect.forEach(bodies, (body) => {
      const request = {
        method: "POST",
        path: "/v1/chat/completions",
        headers: {},
        body: Effect.succeed(bytes(body))
      }
      return Effect.map(Effect.scoped(handle(request)), ({ status }) => status)
    })
  })

const asks = (fields = "") => `{"model":"chat","messages":[{"role":"user","content":"Hi"}]${fields}}`
const deep = "[".repeat(100_000) + "]".repeat(100_000)
const tool = (fields: string) =>
  `,"tools":[{"type":"function","function":{"name":"f"${fields}}}],"tool_choice":"auto"`

// Five in a row would open the breaker for everybody.
describe("a caller's own mistake, six times, does nothing to others, such as", () => {
  for (const [name, make, body, status] of [
    ["a stop that is no text", openAi, asks(',"stop":[{"toString":1,"valueOf":1}]'), 200],
    ["a stop that is no text, to Anthropic", anthropic, asks(',"stop":[{"toString":1,"valueOf":1}]'), 200],
    ["a deep stop", openAi, asks(`,"stop":[${deep}]`), 400],
    ["a deep stop, to Anthropic", anthropic, asks(`,"stop":[${deep}]`), 400],
    ["a deep field that nobody knows", openAi, asks(`,"x":${deep}`), 400],
    ["a deep user", anthropic, asks(`,"user":${deep}`), 400],
    ["a deep n", anthropic, asks(`,"n":${deep}`), 400],
    ["a deep description", anthropic, asks(tool(`,"description":${deep}`)), 400],
    [
      "deep arguments",
      anthropic,
      asks().replace(
        "}]",
        `},{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\\"a\\":${deep}}"}}]}]`
      ),
      400
    ]
  ] as const) {
    it.live(name, () =>
      Effect.gen(function* () {
        const bodies = [...Array<string>(6).fill(body), asks()]
        assert.deepStrictEqual(yield* statuses(make(), bodies), [...Array<number>(6).fill(status), 200])
      })
    )
  }
})
