/**
 * Prompts and answers on spans, for who asks for that: nothing of either is on any otherwise.
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
 * A provider that puts what it is asked and what it answers on the spans of tiers, as `gen_ai.input.messages` and
 * `gen_ai.output.messages`.
 *
 * **Details**
 * - They are text in OpenTelemetry's shape for messages. Of images, sounds and files there is only that they were there.
 * - `maxBytes` bounds what is kept of each of the two, the beginning of it; default 65,536. Each message and each part of one
 *   takes 32 of them beside its text, its names and its ids.
 * - Of a stream it is what had come when it ended, however it ended; of several choices the first.
 * - Nothing is done for a span that is not sampled but to read along with streams. Logs and metrics stay without content.
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
            // Who listens cannot fail the call.
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
