import type { Attempt } from "@understudy/core/Attempt"
import * as Fallback from "@understudy/core/Fallback"
import * as FallbackStream from "@understudy/core/FallbackStream"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import * as AST from "effect/SchemaAST"
import * as Stream from "effect/Stream"
import type { ChatModel } from "../../ChatModel.ts"
import type * as Provider from "../../Provider.ts"
import * as ProviderError from "../../ProviderError.ts"
import type { Route } from "../../Route.ts"
import * as Json from "../bytes/json.ts"
import * as Utf8 from "../bytes/utf8.ts"
import { eventsOf } from "../stream/follow.ts"
import { decodeJson } from "./decode.ts"
import { type Delta, makeReader, type Reply, read } from "./reply.ts"
import { encode, type Request } from "./request.ts"

/**
 * How an answer came about.
 *
 * @since 0.1.0
 * @category models
 */
export interface Served {
  readonly servedBy: {
    readonly tier: string
    /** The model's name at the provider. */
    readonly model: string
    readonly provider: string
  }
  /** Whether that is a tier other than the first. */
  readonly fallback: boolean
  /** Every attempt in the order they ended, including the one that answered. */
  readonly attempts: ReadonlyArray<Attempt<ProviderError.ProviderError | FallbackStream.EmptyStream>>
}

/**
 * A whole answer.
 *
 * @since 0.1.0
 * @category models
 */
export interface Completion extends Reply, Served {
  /** The answer in the provider's bytes. */
  readonly body: Uint8Array
  /** The same, parsed. */
  readonly json: unknown
}

/**
 * A whole answer that fits a schema.
 *
 * @since 0.1.0
 * @category models
 */
export interface ObjectCompletion<out A> extends Completion {
  readonly value: A
}

/**
 * A request for JSON that fits a schema.
 *
 * @since 0.1.0
 * @category models
 */
export interface ObjectRequest<A, I, R> extends Omit<Request, "responseFormat"> {
  readonly schema: Schema.Schema<A, I, R>
  /** The schema's name for the provider. Default: the schema's identifier, or `answer`. */
  readonly name?: string | undefined
  /** Whether the provider should enforce the schema. Default: true; a strict schema has no optional fields. */
  readonly strict?: boolean | undefined
}

/**
 * A part of a streamed answer: first the tier that serves, last the complete reply.
 *
 * @since 0.1.0
 * @category models
 */
export type Part = Started | Delta | Finished

/**
 * The first part: the tier that serves.
 *
 * @since 0.1.0
 * @category models
 */
export interface Started extends Served {
  readonly _tag: "Started"
}

/**
 * The last part: the complete reply.
 *
 * @since 0.1.0
 * @category models
 */
export interface Finished extends Reply {
  readonly _tag: "Finished"
}

export const fromRoute = (route: Route): ChatModel => {
  const ask = (request: Request) => route.complete(encode(route.name, request, false))
  return {
    complete: (request) =>
      Effect.suspend(() => served(Fallback.mapAttempts(ask(request), Effect.map(readAnswer)))),
    completeObject: ({ name, schema, strict, ...request }) =>
      Effect.suspend(() => {
        const decode = decodeJson(schema)
        const readObject = (answer: Provider.Answer) => {
          const completion = readAnswer(answer)
          return Effect.mapBoth(decode(completion.text), {
            onSuccess: (value) => ({ ...completion, value }),
            onFailure: () => ProviderError.make({ kind: "invalid_output" })
          })
        }
        const responseFormat = { name: name ?? nameOf(schema), schema, strict }
        return served(Fallback.mapAttempts(ask({ ...request, responseFormat }), Effect.flatMap(readObject)))
      }),
    stream: (request) =>
      Stream.unwrapScoped(
        Effect.suspend(() =>
          Effect.map(FallbackStream.served(route.stream(encode(route.name, request, true))), (served) =>
            Stream.concat(
              Stream.make<[Part]>({ _tag: "Started", ...asServed(served) }),
              readStream(served.value)
            )
          )
        )
      )
  }
}

/** The provider has validated the answer already. */
const readAnswer = ({ body }: Provider.Answer) => {
  const json = Json.parse(Utf8.withoutMark(Utf8.decode(body)))
  return { ...read(json), body, json }
}

const readStream = <E>(chunks: Stream.Stream<Provider.Part, E>): Stream.Stream<Part, E> =>
  Stream.suspend(() => {
    const reply = makeReader()
    return chunks.pipe(
      Stream.mapConcat(
        (part): ReadonlyArray<Part> =>
          eventsOf(part).flatMap(({ data = "" }) => {
            const json = Json.parse(data)
            return json === undefined ? [] : reply.push(json)
          })
      ),
      Stream.concat(Stream.sync((): Part => ({ _tag: "Finished", ...reply.end() })))
    )
  })

const served = <A extends object, E, R>(run: Fallback.Fallback<A, E, R>) =>
  Effect.map(Fallback.served(run), (served) => ({ ...served.value, ...asServed(served) }))

const asServed = <E>({ attempts, fallback, labels, tier }: Fallback.Served<unknown, E>) => ({
  servedBy: { tier, model: labels["model"] ?? "", provider: labels["provider"] ?? "" },
  fallback,
  attempts
})

const nameOf = (schema: Schema.Schema.All): string =>
  AST.getIdentifierAnnotation(schema.ast).pipe(
    Option.orElse(() => AST.getIdentifierAnnotation(AST.typeAST(schema.ast))),
    Option.match({
      onNone: () => "answer",
      // OpenAI's rule for names.
      onSome: (identifier) => identifier.replace(/[^\w-]/g, "_").slice(0, 64)
    })
  )
