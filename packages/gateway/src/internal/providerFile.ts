import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { type ErrorRow, ErrorRowFile } from "./errorRow.ts"
import { ApiVersion, BaseUrl, Headers, integerFrom, Key } from "./fields.ts"
import { type SandboxProvider, sandboxFields } from "./sandboxFile.ts"

/**
 * An upstream account that speaks the OpenAI protocol.
 *
 * @since 0.1.0
 * @category models
 */
export interface OpenAiProvider {
  readonly kind: "openai"
  readonly baseUrl: string
  readonly apiKey?: Redacted.Redacted | undefined
  /** Sent with every request; redacted, for some upstreams take their key here. */
  readonly headers?: { readonly [name: string]: Redacted.Redacted } | undefined
  /** What its errors mean, before the table of them all is asked. */
  readonly errors?: ReadonlyArray<ErrorRow> | undefined
}

/**
 * A resource of Azure OpenAI, whose deployments are the models.
 *
 * @since 0.1.0
 * @category models
 */
export interface AzureProvider {
  readonly kind: "azure"
  readonly baseUrl: string
  /** The v1 API where undefined. */
  readonly apiVersion?: string | undefined
  readonly apiKey?: Redacted.Redacted | undefined
  /** Sent with every request; redacted, for a token goes here. */
  readonly headers?: { readonly [name: string]: Redacted.Redacted } | undefined
  /** What its errors mean, before the table of them all is asked. */
  readonly errors?: ReadonlyArray<ErrorRow> | undefined
}

/**
 * An upstream account that speaks Anthropic's Messages API.
 *
 * @since 0.1.0
 * @category models
 */
export interface AnthropicProvider {
  readonly kind: "anthropic"
  readonly baseUrl: string
  readonly apiKey?: Redacted.Redacted | undefined
  /** Sent with every request; redacted, for a token goes here. */
  readonly headers?: { readonly [name: string]: Redacted.Redacted } | undefined
  /** The most tokens of an answer whose request names no number. */
  readonly maxTokens?: number | undefined
  /** What its errors mean, before the table of them all is asked. */
  readonly errors?: ReadonlyArray<ErrorRow> | undefined
}

/**
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
  errors: Schema.optional(Schema.Array(ErrorRowFile))
}

export const ProviderFile = Schema.Union(
  Schema.Struct({ kind: kind("openai"), ...account }),
  Schema.Struct({ kind: kind("azure"), ...account, apiVersion: Schema.optional(ApiVersion) }),
  Schema.Struct({
    kind: kind("anthropic"),
    ...account,
    baseUrl: Schema.optionalWith(BaseUrl, { default: () => "https://api.anthropic.com" }),
    maxTokens: Schema.optional(integerFrom(1))
  }),
  Schema.Struct({ kind: kind("sandbox"), ...sandboxFields })
)
