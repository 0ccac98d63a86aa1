import { createServer, type ServerResponse } from "node:http"

/**
 * The upstream of all contenders. The first part of the path says what it does: `answer` at once, `wait` first, be
 * `busy`, `stream` at once, `paced`, or `spoken`: that is paced, and its first chunk says something. It also takes whatever
 * spans are exported.
 */
const answer = JSON.stringify({
  id: "chatcmpl-9f3b1c",
  object: "chat.completion",
  created: 1_764_000_000,
  model: "mock-large",
  choices: [
    { index: 0, message: { role: "assistant", content: "word ".repeat(160) }, finish_reason: "stop" }
  ],
  usage: { prompt_tokens: 27, completion_tokens: 160, total_tokens: 187 }
})

const chunk = (delta: object, finish_reason: string | null = null): string =>
  `data: ${JSON.stringify({
    id: "chatcmpl-9f3b1c",
    object: "chat.completion.chunk",
    created: 1_764_000_000,
    model: "mock-large",
    choices: [{ index: 0, delta, finish_reason }]
  })}\n\n`

const chunksOf = (first: string): ReadonlyArray<string> => [
  chunk({ role: "assistant", content: first }),
  ...Array.from({ length: 47 }, (_, i) => chunk({ content: `word-${i} ` })),
  chunk({}, "stop"),
  "data: [DONE]\n\n"
]

const roleFirst = chunksOf("")
const wordsFirst = chunksOf("word ")

const busy = JSON.stringify({ error: { message: "The engine is overloaded.", type: "server_error" } })

const json = (response: ServerResponse, status: number, body: string): void => {
  response.writeHead(status, { "content-type": "application/json", "content-length": body.length })
  response.end(body)
}

/** Every chunk in a packet of its own, as a model writes, and the end with the last of them. */
const stream = (
  response: ServerResponse,
  chunks: ReadonlyArray<string>,
  pause: (next: () => void) => void
): void => {
  response.writeHead(200, { "content-type": "text/event-stream" })
  let index = 0
  const next = (): void => {
    const text = chunks[index++]
    if (index === chunks.length) return void response.end(text)
    response.write(text)
    pause(next)
  }
  next()
}

const behaviours: Readonly<Record<string, (response: ServerResponse) => void>> = {
  answer: (response) => json(response, 200, answer),
  wait: (response) => void setTimeout(() => json(response, 200, answer), 5_000),
  busy: (response) => json(response, 503, busy),
  stream: (response) => stream(response, roleFirst, setImmediate),
  paced: (response) => stream(response, roleFirst, (next) => setTimeout(next, 2)),
  spoken: (response) => stream(response, wordsFirst, (next) => setTimeout(next, 2))
}

const server = createServer((request, response) => {
  const behave = behaviours[request.url?.split("/")[1] ?? ""]
  request.resume()
  request.on("end", () => {
    if (behave === undefined) response.end()
    else behave(response)
  })
})
server.listen(Number(process.argv[2]), "127.0.0.1", 4_096)
