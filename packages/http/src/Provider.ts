/**
 * An upstream account that answers chat completions, in whatever dialect it speaks.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { ChatRequest, Usage } from "./ChatCompletion.ts"
import type { ProviderError } from "./ProviderError.ts"

/**
 * @since 0.1.0
 * @category models
 */
export interface Provider {
  readonly name: string
  /** OpenTelemetry's `gen_ai.provider.name`. */
  readonly system: string
  /** Where it is, for spans; `undefined` for one inside the process. */
  readonly server: { readonly address: string; readonly port: number } | undefined
  readonly complete: (
    request: ChatRequest,
    model: string
  ) => Effect.Effect<Answer, ProviderError, Scope.Scope>
  /** Ends with success only if the model finished its answer. */
  readonly stream: (request: ChatRequest, model: string) => Stream.Stream<Part, ProviderError>
}

/**
 * A whole answer, in the bytes the upstream sent.
 *
 * @since 0.1.0
 * @category models
 */
export interface Answer {
  readonly body: Uint8Array
  readonly usage: Usage | undefined
}

/**
 * A piece of a streamed answer: one or more whole server-sent events.
 *
 * @since 0.1.0
 * @category models
 */
export interface Part {
  readonly bytes: Uint8Array
  /** Whether it holds anything a reader would see; see `ChatCompletion.readChunk`. */
  readonly content: boolean
  readonly usage: Usage | undefined
}
