import { randomBytes } from "node:crypto"
import { type ServerResponse, STATUS_CODES } from "node:http"
import type { Socket } from "node:net"
import { refusal } from "@understudy/http/OpenAiRouter"

type Refusal = ReturnType<typeof refusal>

export const maxHeaderSize = 16 * 1024

/** With an id of its own, since no handler sees these requests. */
const refuse = (...args: Parameters<typeof refusal>): Refusal => {
  const { headers, ...rest } = refusal(...args)
  const connection = { connection: "close", "x-request-id": `req_${randomBytes(8).toString("hex")}` }
  return { ...rest, headers: { ...headers, ...connection } }
}

/** Of a request without a `Host`, or with several: proxies differ in which of those counts. */
export const hosts = (count: number): Refusal =>
  refuse(400, "malformed_request", `The request names ${count === 0 ? "no host" : "more than one host"}.`)

export const foreignHost = (): Refusal =>
  refuse(403, "forbidden_host", "A gateway without keys answers only as localhost; server.apiKeys opens it.")

export const foreignOrigin = (): Refusal =>
  refuse(403, "forbidden_origin", "A gateway without keys answers no web page of another site.")

export const expectation = (): Refusal =>
  refuse(417, "expectation_failed", "The gateway expects no more than 100-continue.")

/** Invites the client to retry. */
const refuseForNow = (...args: Parameters<typeof refusal>): Refusal => {
  const { headers, ...rest } = refuse(...args)
  const { "x-should-retry": _, ...others } = headers
  return { ...rest, headers: { ...others, "retry-after": "1" } }
}

/** A retry reaches the gateway's successor. */
export const stopping = (): Refusal =>
  refuseForNow(503, "shutting_down", "The gateway stopped before it had an answer.")

/** A retry uses another connection. */
export const queueFull = (): Refusal =>
  refuseForNow(
    503,
    "overloaded",
    "Too many requests wait for the answers to earlier ones of this connection."
  )

/** A request that Node's parser rejected or timed out. */
const ofParser = (code: string | undefined): Refusal => {
  switch (code) {
    case "HPE_HEADER_OVERFLOW":
      return refuse(431, "headers_too_large", `The headers are larger than ${maxHeaderSize} bytes.`)
    case "HPE_CHUNK_EXTENSIONS_OVERFLOW":
      return refuse(413, "request_too_large", "The chunk extensions are larger than 16384 bytes.")
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return refuse(408, "request_timeout", "The request did not come to its end in time.")
    default:
      return refuse(400, "malformed_request", "This is not a request of HTTP/1.1.")
  }
}

/**
 * Sends the refusal unless it would be taken for the answer to another request; `latest` is the response to the
 * connection's last request.
 */
export const refuseUnparsed = (
  error: NodeJS.ErrnoException,
  socket: Socket,
  latest: ServerResponse | undefined
): void => {
  if (!socket.writable || !isNext(latest)) return void socket.destroy()
  const { body, headers, status } = ofParser(error.code)
  const lines = Object.entries({ ...headers, "content-length": body.length }).map(
    ([name, value]) => `${name}: ${value}\r\n`
  )
  socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join("")}\r\n`)
  socket.end(body)
  // Reads and drops the rest of the request, since a reset would discard the answer.
  socket.resume()
  setTimeout(() => socket.destroy(), lingerMillis).unref()
}

/**
 * All earlier requests have been answered; or the last request itself is the broken one, it is its turn, and its
 * response has not started.
 */
const isNext = (latest: ServerResponse | undefined): boolean =>
  latest === undefined ||
  latest.writableFinished ||
  (!latest.req.complete && latest.socket !== null && !latest.headersSent)

const lingerMillis = 1000

/** Answers directly, without a handler. */
export const answerWith = (outgoing: ServerResponse, { body, headers, status }: Refusal): void =>
  void outgoing.writeHead(status, { ...headers, "content-length": body.length }).end(body)
