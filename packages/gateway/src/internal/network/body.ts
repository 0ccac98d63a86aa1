import type { IncomingMessage } from "node:http"
import * as Thin from "@understudy/core/Thin"
import { BodyTooLarge } from "@understudy/http/OpenAiRouter"
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"

/**
 * Reads the body of a request. The state for it is created when reading starts and dropped when it ends, since the
 * request itself is kept until it is answered.
 */
export class Body extends Effectable.Class<Uint8Array, BodyTooLarge> {
  private readonly incoming: IncomingMessage
  private readonly maxBody: number

  constructor(incoming: IncomingMessage, maxBody: number) {
    super()
    this.incoming = incoming
    this.maxBody = maxBody
  }

  override commit(): Effect.Effect<Uint8Array, BodyTooLarge> {
    const { incoming, maxBody } = this
    return Thin.wait((resume) => {
      const tooLarge = () => resume(Effect.fail(new BodyTooLarge({ maxBody })))
      if (lengthOf(incoming) > maxBody) return tooLarge()
      const chunks: Array<Buffer> = []
      let length = 0
      const onData = (chunk: Buffer) => {
        length += chunk.length
        if (length <= maxBody) return void chunks.push(chunk)
        leave()
        tooLarge()
      }
      const onEnd = () => {
        leave()
        resume(Effect.succeed(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, length)))
      }
      const leave = () => void incoming.off("data", onData).off("end", onEnd)
      incoming.on("data", onData).on("end", onEnd)
    })
  }
}

/** The declared length in bytes; 0 for a chunked body. */
export const lengthOf = ({ headers }: IncomingMessage): number => Number(headers["content-length"] ?? 0)
