import * as Quirks from "@understudy/http/Quirks"
import * as Schema from "effect/Schema"

const Parameter = Schema.String.pipe(Schema.minLength(1, { description: "the name of a parameter" }))

const isEssential = (name: string): boolean => Quirks.essentials.includes(name)

const refusal = (path: ReadonlyArray<string | number>) => ({
  path,
  message: "every request needs this parameter; remove it from here"
})

/** What a request's parameters are to be changed to, of a provider or of a tier. */
export const quirksFields = {
  drop: Schema.optional(
    Schema.Array(Parameter).pipe(
      Schema.filter((names) => {
        const wrong = names.findIndex(isEssential)
        return wrong === -1 ? undefined : refusal([wrong])
      })
    )
  ),
  rename: Schema.optional(
    Schema.Record({ key: Schema.String, value: Parameter }).pipe(
      Schema.filter((names) => {
        const wrong = Object.keys(names).find(isEssential)
        return wrong === undefined ? undefined : refusal([wrong])
      })
    )
  )
}
