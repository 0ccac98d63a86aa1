import * as Effect from "effect/Effect"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { isTooDeep, maxDepth } from "../bytes/depth.ts"

/**
 * Decodes JSON that a model has written. To go down with a schema into what is nested too deep would overflow the stack, which
 * is no error that anybody could handle.
 */
export const decodeJson = <A, I, R>(
  schema: Schema.Schema<A, I, R>
): ((json: string) => Effect.Effect<A, ParseResult.ParseError, R>) => {
  const decode = Schema.decode(Schema.parseJson(schema))
  return (json) => (isTooDeep(json) ? Effect.fail(tooDeep(json)) : decode(json))
}

const tooDeep = (json: string): ParseResult.ParseError =>
  ParseResult.parseError(
    new ParseResult.Type(
      Schema.String.ast,
      json,
      `Expected JSON of at most ${maxDepth} levels, actual is deeper; nest it less`
    )
  )
