/**
 * The gateway's configuration file: where it listens, which providers it calls, and the policies behind the names that
 * callers use.
 *
 * A file is either read completely or refused with one line that says where, what is wrong and what to do. That line
 * never shows a value from the environment.
 *
 * @since 0.1.0
 */
import * as Policy from "@understudy/core/Policy"
import * as Quirks from "@understudy/http/Quirks"
import { Continue } from "@understudy/http/Route"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { contradiction } from "./internal/file/contradiction.ts"
import * as Document from "./internal/file/document.ts"
import type { Path } from "./internal/file/fault.ts"
import { Host, integerFrom, Key, Port, SizeText } from "./internal/file/fields.ts"
import { type Provider, ProviderFile } from "./internal/file/providerFile.ts"
import type * as Yaml from "./internal/file/yaml.ts"

/**
 * Where and how the gateway listens.
 *
 * @since 0.1.0
 * @category models
 */
export interface Server {
  readonly host: string
  readonly port: number
  /** The callers' bearer keys; may be empty only on a loopback address. */
  readonly apiKeys: ReadonlyArray<Redacted.Redacted>
  /** Bytes. */
  readonly maxBody: number
  /** Concurrent requests to routes, from before their body is read until their answer is sent. */
  readonly maxInFlight: number
  /** Requests that may wait for a free place; any more are refused at once. */
  readonly maxQueue: number
  /** The longest wait for a place. */
  readonly maxWait: Duration.Duration
  /** How long a caller may go without reading a byte of its answer, or take per megabyte. */
  readonly stallTimeout: Duration.Duration
  /** How long a shutdown waits for requests in flight. */
  readonly drain: Duration.Duration
}

export type { ErrorRow } from "./internal/file/errorRow.ts"
export type {
  Account,
  AnthropicProvider,
  AzureProvider,
  OpenAiProvider,
  Provider
} from "./internal/file/providerFile.ts"
export type { Latency, SandboxProvider, SandboxTurn, SandboxWord } from "./internal/file/sandboxFile.ts"

/**
 * A tier of a route, with its provider and model.
 *
 * @since 0.1.0
 * @category models
 */
export interface Tier extends Policy.TierPolicy, Quirks.Quirks {
  /** A key of `providers`. */
  readonly provider: string
  /** The model's name at that provider. */
  readonly model: string
  /** The model of its vectors; its route then answers only requests for embeddings. */
  readonly embeddings?: string | undefined
  /** How it continues a stream that broke off on a tier above. Default: not at all. */
  readonly continue?: Continue | undefined
}

/**
 * Synthetic checks.
 *
 * @since 0.1.0
 * @category models
 */
export interface Probe {
  /** The time between two checks of a tier, ± 10 %. */
  readonly every: Duration.Duration
  /** The token limit of the answer. */
  readonly maxTokens: number
  /** Whether the checks count for the tiers' breakers: an open one can then close before a user calls. */
  readonly breakers: boolean
}

/**
 * A decoded file, with defaults filled in.
 *
 * @since 0.1.0
 * @category models
 */
export interface Config {
  readonly server: Server
  readonly providers: { readonly [name: string]: Provider }
  /** By the name that callers put in `model`. */
  readonly routes: { readonly [name: string]: Policy.Policy<Tier> }
  /** Default: no checks. */
  readonly probe?: Probe | undefined
}

/**
 * The file cannot be used. The message is one line: file, place, reason, remedy.
 *
 * @example
 * import { Config } from "@understudy/gateway"
 *
 * const place = { file: "understudy.yaml", line: 14, column: 9, path: "routes.chat.timout" }
 * const error = new Config.ConfigError({ ...place, reason: "unknown key", remedy: "remove it" })
 *
 * console.log(error.message) // => understudy.yaml:14:9 routes.chat.timout: unknown key; remove it
 *
 * @since 0.1.0
 * @category errors
 */
export class ConfigError extends Data.TaggedError("ConfigError")<{
  readonly file: string
  /** From 1; undefined if the file could not be read at all. */
  readonly line: number | undefined
  readonly column: number | undefined
  /** The path of keys to it; empty if the text is not YAML. */
  readonly path: string
  readonly reason: string
  readonly remedy: string
}> {
  override get message(): string {
    const place = this.line === undefined ? this.file : `${this.file}:${this.line}:${this.column}`
    return `${place}${this.path === "" ? "" : ` ${this.path}`}: ${this.reason}; ${this.remedy}`
  }
}

const SomeTime = Policy.DurationText.pipe(
  Schema.filter((duration) => Duration.toMillis(duration) > 0, {
    description: "a duration longer than nothing"
  })
)

const ServerFile = Schema.Struct({
  host: Schema.optionalWith(Host, { default: () => "127.0.0.1" }),
  port: Schema.optionalWith(Port, { default: () => 8787 }),
  apiKeys: Schema.optionalWith(Schema.Array(Key), { default: () => [] }),
  maxBody: Schema.optionalWith(SizeText, { default: () => 16e6 }),
  maxInFlight: Schema.optionalWith(integerFrom(1), { default: () => 1000 }),
  maxQueue: Schema.optionalWith(integerFrom(0), { default: () => 1000 }),
  maxWait: Schema.optionalWith(Policy.DurationText, { default: () => Duration.seconds(5) }),
  stallTimeout: Schema.optionalWith(SomeTime, { default: () => Duration.minutes(1) }),
  drain: Schema.optionalWith(Policy.DurationText, { default: () => Duration.seconds(30) })
})

const Every = Policy.DurationText.pipe(
  Schema.filter((every) => Duration.greaterThanOrEqualTo(every, Duration.seconds(1)), {
    description: "a duration of 1s or more"
  })
)

const ProbeFile = Schema.Struct({
  every: Schema.optionalWith(Every, { default: () => Duration.minutes(1) }),
  maxTokens: Schema.optionalWith(integerFrom(1), { default: () => 8 }),
  breakers: Schema.optionalWith(Schema.Boolean, { default: () => false })
})

/**
 * The schema of the file. {@link parse} also checks what involves both providers and tiers.
 *
 * @example
 * import { Schema } from "effect"
 * import { Config } from "@understudy/gateway"
 *
 * const decode = Schema.decodeUnknownSync(Config.File)
 * const { routes } = decode({
 *   providers: { stage: { kind: "sandbox" } },
 *   routes: { chat: { tiers: [{ name: "primary", provider: "stage", model: "large" }] } }
 * })
 *
 * console.log(routes["chat"]?.tiers[0].breaker.trip) // => [ { _tag: 'Consecutive', failures: 5 } ]
 *
 * @since 0.1.0
 * @category schemas
 */
export const File = Schema.Struct({
  server: Schema.optionalWith(ServerFile, { default: () => Schema.decodeSync(ServerFile)({}) }),
  providers: Schema.Record({ key: Schema.String, value: ProviderFile }),
  routes: Schema.Record({
    key: Schema.String,
    value: Policy.struct({
      provider: Schema.String,
      model: Policy.Name,
      embeddings: Schema.optional(Policy.Name),
      continue: Schema.optional(Continue),
      ...Quirks.fields
    })
  }).pipe(
    Schema.filter((routes) => (Object.keys(routes).length > 0 ? undefined : "no routes; add at least one"), {
      jsonSchema: { minProperties: 1 }
    })
  ),
  probe: Schema.optional(ProbeFile)
}).annotations({ parseOptions: { onExcessProperty: "error" } })

/**
 * Parses the text of a file. `env` supplies the values of `${NAME}`; `file` is its name in errors.
 *
 * **Details**
 * - Every tier's provider must exist, and support `continue: prefill` if the tier has it.
 * - All tiers of a route must have the same `embeddings`, or none.
 * - A gateway without keys may listen on a loopback address only.
 * - Only the first problem is reported.
 *
 * @example
 * import { Either } from "effect"
 * import { Config } from "@understudy/gateway"
 *
 * const text = `
 * providers:
 *   stage: { kind: sandbox, latncy: 120ms }
 * routes: {}
 * `
 * const config = Config.parse(text, "understudy.yaml", {})
 *
 * console.log(Either.isLeft(config) && config.left.message) // => understudy.yaml:3:27 providers.stage.latncy: unknown key; did you mean "latency"?
 *
 * @since 0.1.0
 * @category decoding
 */
export const parse = (
  text: string,
  file: string,
  env: Readonly<Record<string, string | undefined>>
): Either.Either<Config, ConfigError> => parseChanged(text, file, env, (data) => data)

/**
 * Parses the text of a file after changing its data.
 *
 * @internal
 */
export const parseChanged = (
  text: string,
  file: string,
  env: Readonly<Record<string, string | undefined>>,
  change: (data: unknown) => unknown
): Either.Either<Config, ConfigError> =>
  Either.mapLeft(Document.read(reader, text, env, change), (fault) => new ConfigError({ file, ...fault }))

/**
 * Reads a file, with the environment of the process.
 *
 * @example
 * import { Effect } from "effect"
 * import { Config } from "@understudy/gateway"
 *
 * const error = await Effect.runPromise(Effect.flip(Config.load("nowhere.yaml")))
 *
 * console.log(error.message) // => nowhere.yaml: no such file; check the path
 *
 * @since 0.1.0
 * @category decoding
 */
export const load = (path: string): Effect.Effect<Config, ConfigError> =>
  Effect.flatMap(textOf(path), (text) => parse(text, path, process.env))

/**
 * The text of a file.
 *
 * @internal
 */
export const textOf = (file: string): Effect.Effect<string, ConfigError> =>
  Effect.mapError(
    Document.textOf(file),
    (why) => new ConfigError({ file, line: undefined, column: undefined, path: "", ...why })
  )

const secret: ReadonlySet<PropertyKey> = new Set(["apiKey", "apiKeys", "headers", "baseUrl"])

// Shows the name of the variable, which is no secret, and not its value.
const shown = (path: Path, { written }: Yaml.Source): string | undefined => {
  const text = written(path)
  return path.some((key) => secret.has(key)) && !/^\$\{\w+\}$/.test(text ?? "") ? undefined : text
}

const reader: Document.Reader<Config> = {
  decode: Schema.decodeUnknownEither(File),
  shown,
  check: contradiction
}
