import * as Quirks from "@understudy/http/Quirks"
import * as Record from "effect/Record"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { type ErrorRow, ErrorRowFile } from "./errorRow.ts"
import { ApiVersion, BaseUrl, Headers, integerFrom, Key } from "./fields.ts"
import { type SandboxProvider, sandboxFields } from "./sandboxFile.ts"

/**
 * What every account upstream has.
 *
 * @since 0.1.0
 * @category models
 */
export interface Account extends Quirks.Quirks {
  readonly baseUrl: string
  readonly apiKey?: Redacted.Redacted | undefined
  /** Sent with every request; redacted, for some upstreams take their key or a token here. */
  readonly headers?: { readonly [name: string]: Redacted.Redacted } | undefined
  /** What its errors mean, before the table of them all is asked. */
  readonly errors?: ReadonlyArray<ErrorRow> | undefined
}

/**
 * An upstream account that speaks the OpenAI protocol.
 *
 * @since 0.1.0
 * @category models
 */
export interface OpenAiProvider extends Account {
  readonly kind: "openai"
  /** Which server it is, for its quirks; OpenAI's own where undefined. */
  readonly dialect?: Quirks.Name | undefined
  /** Whether its models go on from a last message of the assistant's; as is known of its dialect where undefined. */
  readonly prefill?: boolean | undefined
}

/**
 * A resource of Azure OpenAI, whose deployments are the models.
 *
 * @since 0.1.0
 * @category models
 */
export interface AzureProvider extends Account {
  readonly kind: "azure"
  /** The v1 API where undefined. */
  readonly apiVersion?: string | undefined
}

/**
 * An upstream account that speaks Anthropic's Messages API.
 *
 * @since 0.1.0
 * @category models
 */
export interface AnthropicProvider extends Account {
  readonly kind: "anthropic"
  /** The most tokens of an answer whose request names no number. */
  readonly maxTokens?: number | undefined
}

/**
 * A provider of the file, of one kind or another.
 *
 * @since 0.1.0
 * @category models
 */
export type Provider = OpenAiProvider | AzureProvider | AnthropicProvider | SandboxProvider

const kind = <const Kind extends string>(kind: Kind): Schema.Literal<[Kind]> =>
  Schema.Literal(kind).annotations({ title: "provider kind" })

const account = {
  baseUrl: BaseUrl,
  apiKey: Schema.optional(Key),
  headers: Schema.optional(Headers),
  errors: Schema.optional(Schema.Array(ErrorRowFile)),
  ...Quirks.fields
}

const Dialect = Schema.Literal(...Record.keys(Quirks.presets)).annotations({ title: "dialect" })

export const ProviderFile = Schema.Union(
  Schema.Struct({
    kind: kind("openai"),
    ...account,
    dialect: Schema.optional(Dialect),
    prefill: Schema.optional(Schema.Boolean)
  }),
  Schema.Struct({ kind: kind("azure"), ...account, apiVersion: Schema.optional(ApiVersion) }),
  Schema.Struct({
    kind: kind("anthropic"),
    ...account,
    baseUrl: Schema.optionalWith(BaseUrl, { default: () => "https://api.anthropic.com" }),
    maxTokens: Schema.optional(integerFrom(1))
  }),
  Schema.Struct({ kind: kind("sandbox"), ...sandboxFields })
)

/** Whether its models are known to go on from a last message of the assistant's. */
export const prefills = (provider: Provider): boolean => {
  switch (provider.kind) {
    case "openai":
      return provider.prefill ?? Quirks.presets[provider.dialect ?? "openai"].prefill !== undefined
    case "azure":
      return false
    case "anthropic":
    case "sandbox":
      return true
  }
}
