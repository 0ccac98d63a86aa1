import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Policy } from "@understudy/core"
import { Callers, ErrorTable, OpenAiRouter, type Provider, ProviderError, Route } from "@understudy/http"
import { Effect, Redacted, Schema } from "effect"
import { cases } from "../../packages/http/test/errorCases.ts"
import { code, table } from "./guide.ts"

const root = join(import.meta.dirname, "../..")
const guide = readFileSync(join(root, "docs/failures.md"), "utf8")

/** What a failure of a kind leads to, in the words of the guide. */
const leadsTo = (kind: ProviderError.Kind): ReadonlyArray<string> => {
  const outcome = ProviderError.outcome(ProviderError.make({ kind }))
  assert(outcome._tag !== "Success")
  const breaker = outcome._tag === "Ignored" ? "nothing" : outcome.trip ? opens(kind) : "failure"
  return [outcome.next === "retry" ? "yes" : "no", outcome.next === "abort" ? "no" : "yes", breaker]
}

const opens = (kind: ProviderError.Kind): string =>
  kind === "auth" || kind === "quota_exhausted" ? "opens at once, as all of the provider's" : "opens at once"

/** What a caller is told where the only tier fails so. */
const told = (kind: ProviderError.Kind) => {
  const answer = Redacted.make({ status: 418, contentType: "text/plain", body: new Uint8Array() })
  const fail = ProviderError.make({ kind, answer })
  const provider: Provider.Provider = {
    name: "up",
    system: "openai",
    server: undefined,
    complete: () => fail,
    stream: () => Effect.fail(fail)
  }
  const policy = Schema.decodeSync(Policy.Policy)({ tiers: [{ name: "only", retry: { times: 0 } }] })
  return Effect.gen(function* () {
    const route = yield* Route.make("chat", {
      ...policy,
      tiers: [{ ...policy.tiers[0], provider, model: "m" }]
    })
    const handle = OpenAiRouter.make({ routes: [route], callers: Callers.anyone })
    const { body, status } = yield* handle({
      method: "POST",
      path: "/v1/chat/completions",
      headers: {},
      body: Effect.succeed(new TextEncoder().encode('{"model":"chat"}'))
    })
    assert(body instanceof Uint8Array)
    if (status === 418) return "as it came"
    const { error } = JSON.parse(new TextDecoder().decode(body))
    return `${status} ${code(error.code)}`
  }).pipe(Effect.scoped)
}

describe("docs/failures.md", () => {
  it.effect("says of every kind what follows", () =>
    Effect.gen(function* () {
      const expected = yield* Effect.forEach(ProviderError.kinds, (kind) =>
        Effect.map(told(kind), (told) => [code(kind), ...leadsTo(kind), told])
      )
      const rows = table(guide, "`error_type`")
      assert.deepStrictEqual(
        rows.map(([kind, _when, ...rest]) => [kind, ...rest]),
        expected
      )
    })
  )

  it("says the same as the docstring of ProviderError.Kind", () => {
    const source = readFileSync(join(root, "packages/http/src/ProviderError.ts"), "utf8")
    assert.deepStrictEqual(
      table(guide, "`error_type`").map((row) => row.slice(0, 5)),
      table(source, "kind")
    )
  })

  it("has every row of the table of errors, in its order", () => {
    const status = ({ status }: ErrorTable.Row) =>
      status === undefined ? "any" : status.map((code) => (code < 10 ? `${code}xx` : code)).join(", ")
    const looksAt = ({ code, text }: ErrorTable.Row) =>
      code !== undefined ? "code" : text !== undefined ? "message" : "status"
    assert.deepStrictEqual(
      table(guide, "what it is"),
      ErrorTable.table.map((row) => [row.name, status(row), looksAt(row), code(row.kind)])
    )
  })

  it("says what every 429 of every provider means", () => {
    const of429 = ErrorTable.table.flatMap(({ kind, name }) =>
      Object.entries(cases[name] ?? {}).flatMap(([name, { status }]) =>
        status === 429 ? [[name.replace(" 429", ""), code(kind)]] : []
      )
    )
    assert.sameDeepMembers([...table(guide, "a 429 of")], of429)
  })
})
