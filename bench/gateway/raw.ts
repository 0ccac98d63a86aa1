import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { Agent, request as send } from "undici"

/**
 * What a gateway costs at least: `node:http` and `undici.request` with the bytes passed through. The first part of the
 * path names the upstreams, the next one to be asked when one answers 5xx.
 */
const origin = process.argv[3]
const dispatcher = new Agent({ headersTimeout: 0, bodyTimeout: 0 })

const bodyOf = (incoming: IncomingMessage): Promise<Buffer> =>
  new Promise((resolve) => {
    const chunks: Array<Buffer> = []
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk))
    incoming.on("end", () => resolve(Buffer.concat(chunks)))
  })

const pass = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
  const [, upstreams = "", ...rest] = incoming.url?.split("/") ?? []
  const body = await bodyOf(incoming)
  for (const upstream of upstreams.split(",")) {
    const response = await send(`${origin}/${upstream}/${rest.join("/")}`, {
      dispatcher,
      method: "POST",
      headers: { "content-type": "application/json" },
      body
    })
    if (response.statusCode >= 500) {
      await response.body.dump()
      continue
    }
    outgoing.writeHead(response.statusCode, { "content-type": response.headers["content-type"] })
    response.body.pipe(outgoing)
    return
  }
  outgoing.writeHead(503)
  outgoing.end()
}

const server = createServer((incoming, outgoing) => {
  pass(incoming, outgoing).catch(() => outgoing.destroy())
})
server.listen(Number(process.argv[2]), "127.0.0.1", 4_096)
