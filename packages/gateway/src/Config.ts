/**
 * The gateway's one file: where it listens, whom it asks, and the policies behind the names that callers use.
 *
 * A file is read as a whole or refused with one line that says where, what and what to do. What the environment
 * puts into it never shows in that line.
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
  /** The callers' bearer keys; empty only where nobody else can reach the host. */
  readonly apiKeys: ReadonlyArray<Redacted.Redacted>
  /** Bytes. */
  readonly maxBody: number
  /** Requests to routes that are under way at once; from before their body is read until their answer is sent. */
  readonly maxInFlight: number
  /** Requests that wait for one of those places; those beyond are refused at once. */
  readonly maxQueue: number
  /** How long one waits for a place at most. */
  readonly maxWait: Duration.Duration
  /** How long a caller may leave its answer lying without taking a byte, or take for a megabyte of it. */
  readonly stallTimeout: Duration.Duration
  /** How long a stop waits for the requests that are under way. */
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
 * A rung of a route's ladder, and where it leads.
 *
 * @since 0.1.0
 * @category models
 */
export interface Tier extends Policy.TierPolicy, Quirks.Quirks {
  /** A key of `providers`. */
  readonly provider: string
  /** What that provider calls the model. */
  readonly model: string
  /** Whose vectors it makes; its route then answers requests for embeddings, and those alone. */
  readonly embeddings?: string | undefined
  /** How it goes on with a streamed answer that a tier above began and broke off; not at all where undefined. */
  readonly continue?: Continue | undefined
}

/**
 * Synthetic checks.
 *
 * @since 0.1.0
 * @category models
 */
export interface Probe {
  /** The time between two checks of a tier, give or take a tenth. */
  readonly every: Duration.Duration
  /** The most tokens that one is to be answered with. */
  readonly maxTokens: number
  /** Whether the tiers' breakers hear of it: one that is open can then recover before a user calls. */
  readonly breakers: boolean
}

/**
 * A file that was read, its defaults filled in.
 *
 * @since 0.1.0
 * @category models
 */
export interface Config {
  readonly server: Server
  readonly providers: { readonly [name: string]: Provider }
  /** By the name that callers put in `model`. */
  readonly routes: { readonly [name: string]: Policy.Policy<Tier> }
  /** No checks where undefined. */
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
  /** From 1; undefined where the file could not be read at all. */
  readonly line: number | undefined
  readonly column: number | undefined
  /** The keys that lead there; empty where the text is no YAML. */
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
 * The schema of the file. Between providers and tiers it checks nothing: {@link parse} does.
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
 * Reads the text of a file. `env` gives what `${NAME}` stands for; `file` is the name that errors carry.
 *
 * **Details**
 * - Every tier's provider must exist, and be able to where the tier says `continue: prefill`.
 * - All tiers of a route must make the same embeddings or none.
 * - A gateway without keys may listen on a loopback address only.
 * - The first thing that is wrong is the error.
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
 * Reads the text of a file with something changed in its data.
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

// The name of a variable is no secret, and the one thing to know here.
const shown = (path: Path, { written }: Yaml.Source): string | undefined => {
  const text = written(path)
  return path.some((key) => secret.has(key)) && !/^\$\{\w+\}$/.test(text ?? "") ? undefined : text
}

const reader: Document.Reader<Config> = {
  decode: Schema.decodeUnknownEither(File),
  shown,
  check: contradiction
}
