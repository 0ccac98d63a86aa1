import { randomBytes } from "node:crypto"
import { type ServerResponse, STATUS_CODES } from "node:http"
import type { Socket } from "node:net"
import { refusal } from "@understudy/http/OpenAiRouter"

type Refusal = ReturnType<typeof refusal>

export const maxHeaderSize = 16 * 1024

/** No handler sees these requests, and so nobody else gives them an id. */
const refuse = (...args: Parameters<typeof refusal>): Refusal => {
  const { headers, ...rest } = refusal(...args)
  const connection = { connection: "close", "x-request-id": `req_${randomBytes(8).toString("hex")}` }
  return { ...rest, headers: { ...headers, ...connection } }
}

export const noHost = (): Refusal => refuse(400, "malformed_request", "The request names no host.")

export const foreignHost = (): Refusal =>
  refuse(403, "forbidden_host", "A gateway without keys answers only as localhost; server.apiKeys opens it.")

export const foreignOrigin = (): Refusal =>
  refuse(403, "forbidden_origin", "A gateway without keys answers no web page of another site.")

export const expectation = (): Refusal =>
  refuse(417, "expectation_failed", "The gateway expects no more than 100-continue.")

/** The client does well to try again. */
const refuseForNow = (...args: Parameters<typeof refusal>): Refusal => {
  const { headers, ...rest } = refuse(...args)
  const { "x-should-retry": _, ...others } = headers
  return { ...rest, headers: { ...others, "retry-after": "1" } }
}

/** The next try reaches whoever serves in our place. */
export const stopping = (): Refusal =>
  refuseForNow(503, "shutting_down", "The gateway stopped before it had an answer.")

/** The next try comes by another connection. */
export const queueFull = (): Refusal =>
  refuseForNow(
    503,
    "overloaded",
    "Too many requests wait for the answers to earlier ones of this connection."
  )

/** What Node's parser could not make a request of, or did not wait for any longer. */
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

/** Says so where that is the answer to nothing else: `latest` is what answers the connection's last request. */
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
  // What is still to come of the request is read and dropped, or the answer would be lost with a reset.
  socket.resume()
  setTimeout(() => socket.destroy(), lingerMillis).unref()
}

/**
 * All that came before has its answer; or it is the last request itself that does not come to a good end, and it is this
 * one's turn, and no word is said yet.
 */
const isNext = (latest: ServerResponse | undefined): boolean =>
  latest === undefined ||
  latest.writableFinished ||
  (!latest.req.complete && latest.socket !== null && !latest.headersSent)

const lingerMillis = 1000

/** Answers at once, without a handler. */
export const answerWith = (outgoing: ServerResponse, { body, headers, status }: Refusal): void =>
  void outgoing.writeHead(status, { ...headers, "content-length": body.length }).end(body)
