/**
 * What a server does not take as OpenAI does, as small data: parameters to leave out or to call otherwise, and what
 * its errors mean.
 *
 * Parameters are edited in the request's bytes: everything but the named members of the outermost object stays as
 * it came.
 *
 * @since 0.1.0
 */
import * as Record from "effect/Record"
import * as Schema from "effect/Schema"
import type { ChatRequest } from "./ChatCompletion.ts"
import type { Row } from "./ErrorTable.ts"
import * as RawJson from "./internal/bytes/rawJson.ts"

/**
 * What a server wants otherwise than OpenAI does.
 *
 * @since 0.1.0
 * @category models
 */
export interface Quirks {
  /** Parameters that are left out. Default: none. */
  readonly drop?: ReadonlyArray<string> | undefined
  /** Parameters that have another name; where the request has that one as well, it stays alone. Default: none. */
  readonly rename?: Readonly<Record<string, string>> | undefined
}

/**
 * How a server goes on from a last message of the assistant's.
 *
 * @since 0.1.0
 * @category models
 */
export interface Prefill {
  /** Whether its answer is the rest alone, or the whole with what it goes on from. */
  readonly answer: "rest" | "whole"
  /** What that message has beside its role and content. Default: nothing. */
  readonly message?: Readonly<Record<string, unknown>> | undefined
  /** What the request has beside what the caller says, or in its place. Default: nothing. */
  readonly request?: Readonly<Record<string, unknown>> | undefined
}

/**
 * What is known of a server.
 *
 * @since 0.1.0
 * @category models
 */
export interface Preset extends Quirks {
  /** OpenTelemetry's `gen_ai.provider.name`. */
  readonly system: string
  readonly errors?: ReadonlyArray<Row> | undefined
  /** Undefined where it answers such a message anew, or nobody knows. */
  readonly prefill?: Prefill | undefined
}

/**
 * The servers that are known by name.
 *
 * @since 0.1.0
 * @category models
 */
export type Name =
  | "openai"
  | "mistral"
  | "groq"
  | "together"
  | "openrouter"
  | "gemini"
  | "anthropic"
  | "vllm"
  | "ollama"
  | "llama.cpp"

// They are about keeping books and caches, and change nothing in an answer.
const bookkeeping = [
  "store",
  "user",
  "safety_identifier",
  "prompt_cache_key",
  "prompt_cache_retention",
  "prompt_cache_options",
  "service_tier"
]

/**
 * The known servers. What changes an answer is never dropped: a server that does not take it says so, and for the
 * ones that refuse what they do not know that is `unsupported`, so that the next tier is asked.
 *
 * @example
 * import { Quirks } from "@understudy/http"
 *
 * console.log(Quirks.presets.mistral.rename) // => { max_completion_tokens: 'max_tokens', seed: 'random_seed' }
 *
 * @since 0.1.0
 * @category presets
 */
export const presets: { readonly [_ in Name]: Preset } = {
  openai: { system: "openai" },
  mistral: {
    system: "mistral_ai",
    // Its streams end with the usage, asked for or not.
    drop: [...bookkeeping, "stream_options"],
    rename: { max_completion_tokens: "max_tokens", seed: "random_seed" },
    prefill: { answer: "whole", message: { prefix: true } },
    errors: [{ name: "Mistral: a parameter it does not know", kind: "unsupported", status: [422] }]
  },
  groq: {
    system: "groq",
    drop: [...bookkeeping, "metadata"],
    errors: [
      {
        name: "Groq: a parameter it does not know",
        kind: "unsupported",
        status: [400],
        text: /property '[^']*' is unsupported|is not supported with this model/i
      }
    ]
  },
  together: { system: "together_ai" },
  openrouter: {
    system: "openrouter",
    errors: [
      {
        name: "OpenRouter: nobody there can do what is asked",
        kind: "unsupported",
        status: [404],
        text: /no endpoints found that (support|can handle)/i
      },
      // Of one request with more tokens than are paid for: smaller ones are answered.
      {
        name: "OpenRouter: more tokens than the credits are for",
        kind: "request_too_large",
        status: [402],
        text: /requires more credits, or fewer max_tokens|prompt tokens limit exceeded/i
      }
    ]
  },
  gemini: {
    system: "gcp.gemini",
    drop: [...bookkeeping, "metadata"],
    errors: [
      {
        name: "Gemini: a parameter it does not know",
        kind: "unsupported",
        status: [400],
        text: /unknown name .{0,200}cannot find field/i
      }
    ]
  },
  anthropic: { system: "anthropic" },
  vllm: {
    system: "vllm",
    prefill: { answer: "rest", request: { continue_final_message: true, add_generation_prompt: false } }
  },
  // It takes no notice of the new name, and would go on without end.
  ollama: { system: "ollama", rename: { max_completion_tokens: "max_tokens" } },
  "llama.cpp": { system: "llama.cpp" }
}

/**
 * Both: what either drops is dropped, and of two new names for one parameter the second one's is taken.
 *
 * @example
 * import { Quirks } from "@understudy/http"
 *
 * const both = Quirks.combine({ drop: ["a"], rename: { b: "c" } }, { drop: ["d"], rename: { b: "e" } })
 *
 * console.log(both) // => { drop: [ 'a', 'd' ], rename: { b: 'e' } }
 *
 * @since 0.1.0
 * @category combinators
 */
export const combine = (self: Quirks, that: Quirks): Quirks => ({
  drop: [...(self.drop ?? []), ...(that.drop ?? [])],
  rename: { ...self.rename, ...that.rename }
})

/**
 * The function that puts a request as these quirks want it; without any it gives the very request back.
 *
 * **Details**
 * - `drop` goes before `rename`, and both look at the names that the request came with.
 * - Where several parameters get one name, the first one in the request is taken and the others are left out.
 * - A parameter that the request has twice is dropped twice and renamed twice.
 * - Throws a `RangeError` for `model`, `messages` and `stream`, without which there is no request.
 *
 * @example
 * import { Quirks } from "@understudy/http"
 *
 * const adapt = Quirks.adapt({ drop: ["store"], rename: { max_completion_tokens: "max_tokens" } })
 * const body = new TextEncoder().encode('{ "store": true, "seed": 9007199254740993, "max_completion_tokens": 9 }')
 * const adapted = adapt({ model: "chat", stream: false, body }).body
 *
 * console.log(new TextDecoder().decode(adapted)) // => { "seed": 9007199254740993, "max_tokens": 9 }
 *
 * @since 0.1.0
 * @category application
 */
export const adapt = ({ drop = [], rename = {} }: Quirks): ((request: ChatRequest) => ChatRequest) => {
  const dropped = new Set(drop)
  const renamed = new Map(Record.toEntries(rename).filter(([name, next]) => name !== next))
  const essential = essentials.find((name) => dropped.has(name) || renamed.has(name))
  if (essential !== undefined) throw new RangeError(`Quirks: ${essential} can be neither dropped nor renamed`)
  if (dropped.size === 0 && renamed.size === 0) return (request) => request

  const decide = (keys: ReadonlyArray<string>): ReadonlyMap<string, string | undefined> => {
    const becomes = new Map<string, string | undefined>()
    const taken = new Set(keys.filter((key) => !dropped.has(key) && !renamed.has(key)))
    for (const key of keys) {
      const next = renamed.get(key)
      if (dropped.has(key)) becomes.set(key, undefined)
      if (next === undefined || becomes.has(key)) continue
      becomes.set(key, taken.has(next) ? undefined : next)
      taken.add(next)
    }
    return becomes
  }
  return (request) => ({ ...request, body: RawJson.rekey(request.body, decide) })
}

/**
 * What every request needs, and no quirk can take.
 *
 * @example
 * import { Quirks } from "@understudy/http"
 *
 * console.log(Quirks.essentials) // => [ 'model', 'messages', 'stream' ]
 *
 * @since 0.1.0
 * @category models
 */
export const essentials: ReadonlyArray<string> = ["model", "messages", "stream"]

const Parameter = Schema.String.pipe(Schema.minLength(1, { description: "the name of a parameter" }))

const refused = (at: string | number) => ({
  path: [at],
  message: "every request needs this parameter; remove it from here"
})

/**
 * Quirks as fields of the schema of a file.
 *
 * @example
 * import { Either, Schema } from "effect"
 * import { Quirks } from "@understudy/http"
 *
 * const decode = Schema.decodeUnknownEither(Schema.Struct(Quirks.fields))
 *
 * console.log(Either.isRight(decode({ drop: ["store"] })), Either.isRight(decode({ drop: ["model"] }))) // => true false
 *
 * @since 0.1.0
 * @category schemas
 */
export const fields: {
  readonly drop: Schema.optional<Schema.Schema<ReadonlyArray<string>>>
  readonly rename: Schema.optional<Schema.Schema<Readonly<Record<string, string>>>>
} = {
  drop: Schema.optional(
    Schema.Array(Parameter).pipe(
      Schema.filter(
        (names) => {
          const wrong = names.findIndex((name) => essentials.includes(name))
          return wrong === -1 ? undefined : refused(wrong)
        },
        { jsonSchema: { not: { contains: { enum: essentials } } } }
      )
    )
  ),
  rename: Schema.optional(
    Schema.Record({ key: Schema.String, value: Parameter }).pipe(
      Schema.filter(
        (names) => {
          const wrong = Object.keys(names).find((name) => essentials.includes(name))
          return wrong === undefined ? undefined : refused(wrong)
        },
        { jsonSchema: { propertyNames: { not: { enum: essentials } } } }
      )
    )
  )
}
