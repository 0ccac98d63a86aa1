import type { RouteTier } from "../../Route.ts"
import * as Json from "../bytes/json.ts"
import * as Utf8 from "../bytes/utf8.ts"
import { malformed } from "../stream/chatStream.ts"
import { readUsage } from "./choice.ts"
import type { Whole } from "./dialect.ts"
import { isError } from "./errorBody.ts"

/** A whole answer of embeddings, whose numbers and encoding stay unchanged. */
export const readWhole = (body: Uint8Array): Whole => {
  const text = Utf8.withoutMark(Utf8.decode(body))
  const json = Json.parse(text)
  if (isError(json)) return { _tag: "Error", body: text }
  const answer = Json.asObject<"data" | "model" | "usage">(json)
  if (!Array.isArray(answer?.data) || answer.data.length === 0) return malformed
  if (!answer.data.every(hasVector)) return malformed
  const facts = {
    id: undefined,
    model: Json.asText(answer.model),
    finishReasons: [],
    usage: readUsage(answer.usage)
  }
  return { _tag: "Answer", body, facts }
}

const hasVector = (value: unknown): boolean => {
  const vector = Json.asObject<"embedding">(value)?.embedding
  // Of a text that says nothing it may be empty.
  return Array.isArray(vector) || typeof vector === "string"
}

/** A tier that cannot replace the first one, because it has no vectors or those of another model. */
export const misfit = (
  tiers: ReadonlyArray<Pick<RouteTier, "name" | "embeddings" | "provider">>
): string | undefined => {
  const made = tiers[0]?.embeddings
  const other = tiers.find(
    ({ embeddings, provider }) =>
      embeddings !== made || (made !== undefined && provider.embeddings === undefined)
  )
  return other?.name
}
