/**
 * Opt-in capture of prompts and answers on spans. Without it, spans contain neither.
 *
 * @since 0.1.0
 */
import * as Attempt from "@understudy/core/Attempt"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Json from "./internal/bytes/json.ts"
import * as Utf8 from "./internal/bytes/utf8.ts"
import * as Content from "./internal/model/content.ts"
import { makeReader, type Reply, read } from "./internal/model/reply.ts"
import { eventsOf } from "./internal/stream/follow.ts"
import type { Part, Provider } from "./Provider.ts"

/**
 * A provider that records its requests and answers on the spans of tiers, as `gen_ai.input.messages` and
 * `gen_ai.output.messages`.
 *
 * **Details**
 * - They are text in OpenTelemetry's message format. Images, audio and files are only mentioned.
 * - `maxBytes` limits each of the two, keeping the beginning; default 65,536. Each message and each part of one counts
 *   32 bytes in addition to its text, names and ids.
 * - For a stream, what had arrived when it ended, however it ended; of several choices, the first.
 * - For a span that is not sampled, streams are still read along, and nothing else is done. Logs and metrics never
 *   contain content.
 *
 * @example
 * import { ContentCapture, Sandbox } from "@understudy/http"
 *
 * const sandbox = ContentCapture.capture(Sandbox.make({ name: "sandbox", latency: 0 }), { maxBytes: 1024 })
 *
 * console.log(sandbox.name) // => sandbox
 *
 * @since 0.1.0
 * @category combinators
 */
export const capture = (
  provider: Provider,
  { maxBytes = 65_536 }: { readonly maxBytes?: number | undefined } = {}
): Provider => {
  const asked = (body: Uint8Array): Effect.Effect<void> =>
    Attempt.annotateTier(() => ({
      "gen_ai.input.messages": JSON.stringify(Content.asked(Json.parse(Utf8.decode(body)), maxBytes))
    }))
  const answered = (reply: () => Reply): Effect.Effect<void> =>
    Attempt.annotateTier(() => ({
      "gen_ai.output.messages": JSON.stringify(Content.answered(reply(), maxBytes))
    }))
  return {
    ...provider,
    complete: (request, model) =>
      Effect.zipRight(asked(request.body), provider.complete(request, model)).pipe(
        Effect.tap(({ body }) => answered(() => read(Json.parse(Utf8.withoutMark(Utf8.decode(body))))))
      ),
    stream: (request, model) =>
      Effect.suspend(() => {
        const listener = reading()
        const opened = Effect.zipRight(
          Effect.addFinalizer(() => answered(listener.end)),
          provider.stream(request, model)
        )
        return Effect.zipRight(
          asked(request.body),
          Effect.map(
            opened,
            // Capturing must not fail the call.
            Effect.tap((parts) => Effect.ignore(Effect.try(() => Chunk.forEach(parts, listener.hear))))
          )
        )
      })
  }
}

const reading = () => {
  const reply = makeReader()
  return {
    hear: (part: Part): void => {
      for (const { data = "" } of eventsOf(part)) {
        const json = Json.parse(data)
        if (json !== undefined) reply.push(json)
      }
    },
    end: (): Reply => reply.end()
  }
}
