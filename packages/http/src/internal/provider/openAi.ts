import * as Effect from "effect/Effect"
import * as Record from "effect/Record"
import { readAnswer, withModel } from "../../ChatCompletion.ts"
import * as ErrorTable from "../../ErrorTable.ts"
import type { Provider } from "../../Provider.ts"
import type { Prefill, Quirks } from "../../Quirks.ts"
import type { Upstream } from "../../Upstream.ts"
import { chunkReader } from "../stream/chunkReader.ts"
import { bodyOf } from "../stream/prefill.ts"
import * as Dialect from "./dialect.ts"
import * as Embeddings from "./embeddings.ts"

/** An account that speaks OpenAI's protocol, with its own URLs and authentication. */
interface Account {
  readonly name: string
  readonly system: string
  readonly baseUrl: string
  readonly upstream: Upstream
  /** Below the base URL. */
  readonly path: (endpoint: "chat/completions" | "embeddings", model: string) => string
  /** The header with the key. */
  readonly key: Readonly<Record<string, string>> | undefined
  /** Override ours. */
  readonly headers: Readonly<Record<string, string>> | undefined
  readonly quirks: Quirks
  /** Undefined if its models do not continue a final assistant message. */
  readonly prefill?: Prefill | undefined
  /** Take precedence over the table's. */
  readonly errors: ReadonlyArray<ErrorTable.Row> | undefined
}

export const provider = (account: Account): Provider => {
  const root = account.baseUrl.replace(/\/+$/, "")
  const headers = {
    "content-type": "application/json",
    ...account.key,
    ...Record.mapKeys(account.headers ?? {}, (name) => name.toLowerCase())
  }
  return Dialect.provider(account, {
    headers,
    exchange: (request, model) =>
      Effect.sync(() => ({
        url: `${root}${account.path("chat/completions", model)}`,
        body: withModel(bodyOf(request, account.prefill), model),
        readWhole,
        reader: () => chunkReader(request.n)
      })),
    embeddings: (request, model) =>
      Effect.sync(() => ({
        url: `${root}${account.path("embeddings", model)}`,
        body: withModel(request.body, model),
        readWhole: Embeddings.readWhole
      })),
    classify: (response, now) => ErrorTable.classify(response, now, account.errors)
  })
}

const readWhole = (body: Uint8Array): Dialect.Whole => {
  const view = readAnswer(body)
  return view._tag === "Answer" ? { _tag: "Answer", body, facts: view } : view
}
