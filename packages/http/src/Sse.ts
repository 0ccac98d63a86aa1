/**
 * Server-sent events, read from bytes as they arrive and written back.
 *
 * A reader keeps the bytes of every event, so that a stream can be passed on unchanged while it is inspected.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Utf8 from "./internal/bytes/utf8.ts"

/**
 * One block of a stream, including the blank line that ends it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Event {
  /** The block's exact bytes; concatenated, those of all blocks are the stream. */
  readonly raw: Uint8Array
  /** The event's name, or empty. */
  readonly event: string
  /** The lines of `data` joined by ` `; `undefined` if there are none, as in comments. */
  readonly data: string | undefined
}

/**
 * Reads one stream. Use a new reader for every stream.
 *
 * @since 0.1.0
 * @category models
 */
export interface Reader {
  /** The events that this chunk completed. Throws {@link SseTooLarge}. */
  readonly push: (chunk: Uint8Array) => ReadonlyArray<Event>
  /** Ends the stream, and returns the event that was still open, if any. Throws {@link SseTooLarge}. */
  readonly end: () => ReadonlyArray<Event>
}

/**
 * An event exceeded the reader's limit.
 *
 * @example
 * import { Sse } from "@understudy/http"
 *
 * console.log(new Sse.SseTooLarge({ maxEventBytes: 1024 }).message) // => a server-sent event exceeded 1024 bytes
 *
 * @since 0.1.0
 * @category errors
 */
export class SseTooLarge extends Data.TaggedError("SseTooLarge")<{
  readonly maxEventBytes: number
}> {
  override get message(): string {
    return `a server-sent event exceeded ${this.maxEventBytes} bytes`
  }
}

/**
 * A reader at the start of a stream.
 *
 * **Details**
 * - Lines may end in LF, CRLF, CR or a mix, and chunks may be cut anywhere, without an effect on the events.
 * - A byte order mark is skipped only at the start of the stream; invalid UTF-8 becomes U+FFFD in `data`, and stays in
 *   `raw`.
 * - A block without data (comments, a name alone) is an event with `data: undefined`. Blank lines before a block belong
 *   to it.
 * - An event whose blank line is a CR waits for the next byte, which may be its LF, unless the line before ended in a
 *   bare CR too.
 * - `maxEventBytes` (8 MiB by default) limits the bytes of one block, and so what the reader holds. Events that were
 *   complete before the one over the limit are returned first; the next call throws.
 * - Time is linear in the bytes, memory in the bytes of the open event.
 *
 * @example
 * import { Sse } from "@understudy/http"
 *
 * const reader = Sse.make()
 * const bytes = new TextEncoder().encode("data: one\n\ndata: tw")
 *
 * console.log(reader.push(bytes).map((event) => event.data)) // => [ 'one' ]
 * console.log(reader.end().map((event) => event.data)) // => [ 'tw' ]
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options?: { readonly maxEventBytes?: number | undefined }): Reader => {
  const maxEventBytes = options?.maxEventBytes ?? 8 * 1024 * 1024
  if (!(Number.isInteger(maxEventBytes) && maxEventBytes >= 1)) {
    throw new RangeError(`Sse: maxEventBytes must be an integer of 1 or more, got ${maxEventBytes}`)
  }
  let position: Position = "blockStart"
  let held = empty
  let heldBytes = 0
  let first = true
  let failed = false

  const hold = (bytes: Uint8Array): void => {
    const size = heldBytes + bytes.length
    failed = size > maxEventBytes
    if (failed) {
      held = empty
      return
    }
    if (size > held.length) {
      const larger = new Uint8Array(heldBytes === 0 ? size : Math.max(size, 2 * held.length))
      larger.set(held.subarray(0, heldBytes))
      held = larger
    }
    held.set(bytes, heldBytes)
    heldBytes = size
  }

  const take = (): Event => {
    const event = parse(held.subarray(0, heldBytes), first)
    held = empty
    heldBytes = 0
    first = false
    return event
  }

  /** A block within one chunk, as most are, is not copied. */
  const takeFrom = (chunk: Uint8Array, start: number, end: number): Event | undefined => {
    if (heldBytes > 0 || end - start > maxEventBytes) {
      hold(chunk.subarray(start, end))
      return failed ? undefined : take()
    }
    const whole = start === 0 && end === chunk.length
    const event = parse(whole ? chunk : chunk.subarray(start, end), first)
    first = false
    return event
  }

  const orFail = (events: ReadonlyArray<Event>): ReadonlyArray<Event> => {
    if (failed && events.length === 0) throw new SseTooLarge({ maxEventBytes })
    return events
  }

  return {
    push: (chunk) => {
      const events: Array<Event> = []
      let start = 0
      const endAt = (index: number): void => {
        const event = takeFrom(chunk, start, index)
        start = index
        if (event !== undefined) events.push(event)
      }
      for (let index = 0; index < chunk.length && !failed; index++) {
        const byte = chunk[index]!
        if (position === "blankCr" && byte !== LF) {
          endAt(index)
          position = "blockStart"
        }
        if (byte !== LF && byte !== CR) {
          position = "inLine"
          // Fast path: nearly all bytes are no line ends.
          while (index + 1 < chunk.length && chunk[index + 1]! > CR) index++
        } else if (position === "inLine") {
          position = byte === LF ? "lineStart" : "afterCr"
        } else if (position === "afterCr" && byte === LF) {
          position = "lineStart"
        } else if (position === "lineStart" && byte === CR) {
          position = "blankCr"
        } else if (position !== "blockStart") {
          endAt(index + 1)
          position = "blockStart"
        }
      }
      if (!failed && start < chunk.length) hold(chunk.subarray(start))
      return orFail(events)
    },
    end: () => orFail(failed || heldBytes === 0 ? [] : [take()])
  }
}

/**
 * Encodes an event with this data. Lines of the payload become lines of `data`.
 *
 * @example
 * import { Sse } from "@understudy/http"
 *
 * console.log(JSON.stringify(new TextDecoder().decode(Sse.data("{}")))) // => "data: {}\n\n"
 *
 * @since 0.1.0
 * @category encoding
 */
export const data = (payload: string): Uint8Array => encode("data: ", payload)

/**
 * Encodes a comment: a sign of life that no client takes for content.
 *
 * @example
 * import { Sse } from "@understudy/http"
 *
 * console.log(JSON.stringify(new TextDecoder().decode(Sse.comment("keep-alive")))) // => ": keep-alive\n\n"
 *
 * @since 0.1.0
 * @category encoding
 */
export const comment = (text: string): Uint8Array => encode(": ", text)

/**
 * The event that ends a stream of OpenAI's.
 *
 * @example
 * import { Sse } from "@understudy/http"
 *
 * console.log(JSON.stringify(new TextDecoder().decode(Sse.done))) // => "data: [DONE]\n\n"
 *
 * @since 0.1.0
 * @category encoding
 */
export const done: Uint8Array = Utf8.encode("data: [DONE]\n\n")

const LF = 10
const CR = 13
const empty = new Uint8Array(0)
const lineEnd = /\r\n|\n|\r/

/** The state of the scan: `afterCr` follows the CR of a line, `blankCr` that of a blank line. */
type Position = "blockStart" | "inLine" | "lineStart" | "afterCr" | "blankCr"

const encode = (field: string, text: string): Uint8Array =>
  Utf8.encode(`${field}${text.split(lineEnd).join(`\n${field}`)}\n\n`)

const parse = (raw: Uint8Array, first: boolean): Event => {
  const data = onlyData(raw)
  if (data !== undefined) return { raw, event: "", data }
  const text = first ? Utf8.withoutMark(Utf8.decode(raw)) : Utf8.decode(raw)
  let event = ""
  let lines: string | undefined
  for (const line of text.split(text.includes("\r") ? lineEnd : "\n")) {
    const colon = line.indexOf(":")
    const field = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1)
    if (field === "data") lines = lines === undefined ? value : `${lines}\n${value}`
    else if (field === "event") event = value
  }
  return { raw, event, data: lines }
}

/** The data of a block that is a single line of data, as all of OpenAI's are, without parsing lines. */
const onlyData = (raw: Uint8Array): string | undefined => {
  const end = raw.length - 2
  for (let i = 0; i < prefix.length; i++) if (raw[i] !== prefix[i]) return undefined
  if (raw[end] !== LF || raw[end + 1] !== LF || raw.indexOf(LF) !== end || raw.includes(CR)) return undefined
  return Utf8.decode(raw.subarray(prefix.length, end))
}

const prefix = Utf8.encode("data: ")
