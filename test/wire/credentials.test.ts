import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ask, chatBody, envelope, get } from "../support/caller.ts"
import { gateway } from "../support/gateway.ts"
import { answer, type Behaviour, fails, wall } from "../support/wall.ts"

const yaml = (account: string, other: string): string => `
providers:
  account: { kind: openai, baseUrl: "${account}", apiKey: sk-account }
  other: { kind: openai, baseUrl: "${other}", apiKey: sk-other }
routes:
  chat:
    tiers:
      - { name: large, provider: account, model: large }
      - { name: small, provider: account, model: small }
      - { name: spare, provider: other, model: spare }
  draft:
    tiers:
      - { name: draft, provider: account, model: small }
`

const draft = { body: chatBody({ model: "draft" }) }

describe("what concerns a credential, from outside", () => {
  const credentials: Readonly<Record<string, Behaviour>> = {
    "a refused key": fails(401, "invalid_api_key"),
    "a refused region": fails(403),
    "an unpaid bill": fails(402),
    "a used-up quota": fails(429, "insufficient_quota")
  }
  for (const [what, behaviour] of Object.entries(credentials)) {
    it.scopedLive(`${what} rests every tier of the account, in every route`, () =>
      Effect.gen(function* () {
        const [account, other] = [yield* wall, yield* wall]
        account.script(behaviour)
        const { log, url } = yield* gateway(yaml(account.url, other.url))
        const served = yield* ask(url)
        assert.deepStrictEqual(
          [served.headers["x-understudy-tier"], served.headers["x-understudy-attempts"]],
          ["spare", "2"]
        )
        assert.sameMembers(
          log.flatMap((line) => (line.message === "breaker" ? [`${line["route"]}/${line["tier"]}`] : [])),
          ["chat/large", "chat/small", "draft/draft"]
        )
        const refused = yield* ask(url, draft)
        assert.deepStrictEqual([refused.status, envelope(refused).code], [503, "all_tiers_open"])
        assert.isAbove(Number(refused.headers["retry-after"]), 1)
        assert.deepStrictEqual([account.received.length, other.received.length], [1, 1])
        assert.strictEqual((yield* get(url, "/health/ready")).status, 200)
      })
    )
  }

  const models: Readonly<Record<string, Behaviour>> = {
    "a model that is gone": fails(404, "model_not_found"),
    "a long Retry-After": fails(503, null, { "retry-after": "3600" })
  }
  for (const [what, behaviour] of Object.entries(models)) {
    it.scopedLive(`${what} rests its own tier alone`, () =>
      Effect.gen(function* () {
        const [account, other] = [yield* wall, yield* wall]
        account.script(behaviour, answer())
        const { url } = yield* gateway(yaml(account.url, other.url))
        assert.strictEqual((yield* ask(url)).headers["x-understudy-tier"], "small")
        assert.strictEqual((yield* ask(url, draft)).headers["x-understudy-tier"], "draft")
        assert.deepStrictEqual([account.received.length, other.received.length], [3, 0])
      })
    )
  }

  it.scopedLive(
    "where all tiers have the one refused key, the caller is told of that and not of theirs",
    () =>
      Effect.gen(function* () {
        const [account, other] = [yield* wall, yield* wall]
        account.script(fails(401, "invalid_api_key"))
        other.script(fails(401, "invalid_api_key"))
        const { url } = yield* gateway(yaml(account.url, other.url))
        const refused = yield* ask(url)
        assert.deepStrictEqual([refused.status, envelope(refused).code], [502, "upstream_auth_error"])
        assert.strictEqual(refused.headers["x-should-retry"], "false")
        assert.strictEqual(envelope(yield* ask(url)).code, "all_tiers_open")
      })
  )
})
