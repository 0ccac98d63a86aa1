/**
 * The differences between a server and OpenAI, as data: parameters to drop or rename, and the meaning of its errors.
 *
 * Parameters are edited in the request's bytes: everything but the named members of the outermost object stays
 * unchanged.
 *
 * @since 0.1.0
 */
import * as Record from "effect/Record"
import * as Schema from "effect/Schema"
import type { ChatRequest } from "./ChatCompletion.ts"
import type { Row } from "./ErrorTable.ts"
import * as RawJson from "./internal/bytes/rawJson.ts"

/**
 * How a server's parameters differ from OpenAI's.
 *
 * @since 0.1.0
 * @category models
 */
export interface Quirks {
  /** Parameters to drop. Default: none. */
  readonly drop?: ReadonlyArray<string> | undefined
  /** Parameters to rename; if the request has the new name as well, only that one is kept. Default: none. */
  readonly rename?: Readonly<Record<string, string>> | undefined
}

/**
 * How a server continues a final assistant message.
 *
 * @since 0.1.0
 * @category models
 */
export interface Prefill {
  /** Whether its answer is only the rest, or the whole including that message. */
  readonly answer: "rest" | "whole"
  /** Additional fields of that message. Default: none. */
  readonly message?: Readonly<Record<string, unknown>> | undefined
  /** Fields set in the request, replacing the caller's. Default: none. */
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
  /** Undefined if it does not continue such a message, or nobody knows. */
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

// These concern accounting and caching, and do not change an answer.
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
 * The known servers. Parameters that change an answer are never dropped: a server that does not support one says so,
 * and for servers that refuse unknown parameters that is `unsupported`, so that the next tier is asked.
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
    // Its streams always end with the usage.
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
        // Which providers are to be asked there, the request says as well.
        code: /^requested_providers$/,
        text: /no endpoints found (that (support|can handle)|matching)|no allowed providers/i
      },
      // For a single request with more tokens than are paid for; smaller ones are still answered.
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
  // It ignores the new name, and would generate without a limit.
  ollama: { system: "ollama", rename: { max_completion_tokens: "max_tokens" } },
  "llama.cpp": { system: "llama.cpp" }
}

/**
 * Combines both: drops what either drops; of two new names for one parameter, the second wins.
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
 * A function that adapts a request to these quirks; without any it returns the same request.
 *
 * **Details**
 * - `drop` takes precedence over `rename`, and both refer to the original names.
 * - If several parameters get the same name, the first one in the request is kept and the others are dropped.
 * - Duplicate parameters are all dropped or renamed.
 * - Throws a `RangeError` for `model`, `messages` and `stream`, which are essential.
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
  return ({ n, ...request }) => ({
    ...request,
    // A server that is not asked for several choices gives one.
    ...(n !== undefined && !dropped.has("n") && { n }),
    body: RawJson.rekey(request.body, decide)
  })
}

/**
 * The fields that no quirk may change, since every request needs them.
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
 * Schema fields of quirks, for files.
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
