import { createServer, type IncomingMessage } from "node:http"
import { createServer as createHttp2Server } from "node:http2"
import type { AddressInfo, Server } from "node:net"

/** A collector of OTLP that keeps what it is sent. */
export interface Collector {
  readonly url: string
  readonly received: Array<Buffer>
  readonly close: () => void
}

const listening = (server: Server, received: Array<Buffer>): Promise<Collector> =>
  new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo
      resolve({ url: `http://127.0.0.1:${port}`, received, close: () => server.close() })
    })
  })

const bodyOf = async (request: AsyncIterable<Uint8Array>): Promise<Buffer> => {
  const chunks: Array<Uint8Array> = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks)
}

export const httpCollector = (): Promise<Collector> => {
  const received: Array<Buffer> = []
  const server = createServer(async (request: IncomingMessage, response) => {
    received.push(await bodyOf(request))
    response.writeHead(200, { "content-type": request.headers["content-type"] })
    response.end(request.headers["content-type"] === "application/json" ? "{}" : "")
  })
  return listening(server, received)
}

export const grpcCollector = (): Promise<Collector> => {
  const received: Array<Buffer> = []
  const server = createHttp2Server()
  server.on("stream", async (stream) => {
    received.push(await bodyOf(stream))
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true })
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }))
    // A message of no bytes, not compressed.
    stream.end(Buffer.alloc(5))
  })
  return listening(server, received)
}
