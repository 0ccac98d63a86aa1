import type { Transform } from "node:stream"
import * as Thin from "@understudy/core/Thin"
import { type Response, type TransportError, transportError } from "@understudy/http/Upstream"
import * as Effect from "effect/Effect"
import type { Dispatcher } from "undici"
import { decoderOf } from "./coding.ts"
import type { Connection } from "./connections.ts"

type Controller = Dispatcher.DispatchController

/**
 * One request over a connection, and its answer as it arrives. Used in place of undici's `request`, whose body is a
 * Node stream: most answers arrive in one packet, and then a stream is most of their cost.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  private connection: Connection | undefined
  private controller: Controller | undefined
  private response: Response | undefined
  private decoder: Transform | undefined
  /** Received, not yet read. */
  private ready: Array<Buffer> = none
  private size = 0
  private isWhole = false
  /** Nothing more will arrive, except perhaps an error. */
  private ended = false
  private error: TransportError | undefined
  private wanted = true
  private onHead: (head: Effect.Effect<Response, TransportError>) => void = nobody
  private wake = nobody
  private onWhole = nobody

  /** Does not retain the options, since an exchange spends most of its life waiting for the answer. */
  send(connection: Connection, options: Dispatcher.DispatchOptions): void {
    this.connection = connection
    connection.dispatch(options, this)
  }

  /** Waits for the head of the answer. */
  get head(): Effect.Effect<Response, TransportError> {
    return Thin.wait((resume) => {
      if (this.error === undefined) this.onHead = resume
      else resume(Effect.fail(this.error))
    })
  }

  /**
   * Releases the connection. It can be reused once the answer has ended; if that is not to be waited for, or does not
   * happen in time, the connection is closed.
   */
  release(mayEnd: boolean): void {
    this.wanted = false
    this.ready = none
    this.decoder?.destroy()
    const { connection } = this
    if (connection === undefined) return
    if (this.isWhole) connection.giveBack()
    else if (this.response === undefined || !mayEnd) connection.destroy()
    else {
      // After the last event of a stream, its body has not ended yet.
      const tooLate = setTimeout(() => connection.destroy(), endOfBodyWithin)
      this.onWhole = () => {
        clearTimeout(tooLate)
        connection.giveBack()
      }
      this.controller?.resume()
    }
  }

  onRequestStart(controller: Controller): void {
    this.controller = controller
  }

  onResponseStart(
    _: Controller,
    status: number,
    headers: Readonly<Record<string, string | Array<string> | undefined>>
  ): void {
    // Informational responses are ignored.
    if (status < 200) return
    const { "content-encoding": coding } = headers
    this.decoder = typeof coding === "string" ? decoderOf(coding) : undefined
    this.decoder
      ?.on("data", (chunk: Buffer) => this.give(chunk))
      .on("end", () => this.end())
      .on("error", (error) => this.end(error))
    this.response = { status, headers: flat(headers), read: this.reading() }
    this.headIs(Effect.succeed(this.response))
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    if (!this.wanted) return
    if (this.decoder === undefined) this.give(chunk)
    else if (!this.decoder.write(chunk)) {
      controller.pause()
      this.decoder.once("drain", () => controller.resume())
    }
  }

  onResponseEnd(): void {
    this.isWhole = true
    if (this.decoder === undefined) this.end()
    else this.decoder.end()
    this.onWhole()
  }

  onResponseError(_: Controller, error: Error): void {
    this.end(error)
    this.decoder?.destroy()
  }

  /** The reader of the answer, created when there is one. */
  private reading(): Response["read"] {
    const read: Response["read"] = Effect.suspend(() => {
      if (this.ready.length > 0) return taking
      if (this.error !== undefined) return Effect.fail(this.error)
      return this.ended ? ended : later
    })
    const later: Response["read"] = Thin.wait((resume) => {
      this.wake = () => {
        this.wake = nobody
        resume(this.ready.length > 0 ? taking : read)
      }
    })
    // Takes all that has arrived, since most of a reader's cost is per read.
    const taking: Response["read"] = Effect.sync(() => {
      const { ready, size } = this
      this.ready = none
      this.size = 0
      if (size >= capacity) this.go()
      return ready.length === 1 ? ready[0] : Buffer.concat(ready, size)
    })
    return read
  }

  private headIs(head: Effect.Effect<Response, TransportError>): void {
    const { onHead } = this
    this.onHead = nobody
    onHead(head)
  }

  private give(chunk: Buffer): void {
    if (this.ready.length === 0) this.ready = [chunk]
    else this.ready.push(chunk)
    this.size += chunk.length
    if (this.size >= capacity) this.hold()
    this.wake()
  }

  private end(error?: Error): void {
    if (this.ended || !this.wanted) return
    this.ended = true
    if (error !== undefined) {
      this.error = transportError(error)
      if (this.response === undefined) this.headIs(Effect.fail(this.error))
    }
    this.wake()
  }

  private hold(): void {
    if (this.decoder === undefined) this.controller?.pause()
    else this.decoder.pause()
  }

  private go(): void {
    if (this.decoder === undefined) this.controller?.resume()
    else this.decoder.resume()
  }
}

const nobody = (): void => {}

/** Shared, since most of the time nothing is ready. */
const none: Array<Buffer> = []

const ended: Response["read"] = Effect.succeed(undefined)

/** Bytes that are buffered before the socket is paused. */
const capacity = 64 * 1024

const endOfBodyWithin = 1000

/** Decoded, or of an unknown coding. */
const flat = (
  headers: Readonly<Record<string, string | Array<string> | undefined>>
): Record<string, string> => {
  const one: Record<string, string> = {}
  for (const name in headers) {
    const value = headers[name]
    if (value === undefined || name === "content-encoding") continue
    one[name] = typeof value === "string" ? value : value.join(", ")
  }
  return one
}
