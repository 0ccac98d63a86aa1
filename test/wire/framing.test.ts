import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ask, chatBody } from "../support/caller.ts"
import { eventually } from "../support/eventually.ts"
import { chat, gateway } from "../support/gateway.ts"
import { type Fault, rawWall, type Turn } from "../support/rawWall.ts"
import { content, done, finish, role, wall } from "../support/wall.ts"

const kinds = {
  answer: {
    type: "application/json",
    body: '{"choices":[{"index":0,"message":{"role":"assistant","content":"Hel"},"finish_reason":"stop"}]}'
  },
  stream: {
    type: "text/event-stream",
    body: [role, content("Hel"), finish, done].map((piece) => piece("model1")).join("")
  }
}
type Kind = (typeof kinds)[keyof typeof kinds]

const response = (
  { body, type }: { readonly body: string | Buffer; readonly type: string },
  fields: string,
  first = "HTTP/1.1 200 OK"
): Buffer =>
  Buffer.concat([
    Buffer.from(`${first}\r\ncontent-type: ${type}\r\n${fields}\r\n`, "latin1"),
    typeof body === "string" ? Buffer.from(body) : body
  ])

const length = ({ length }: string | Buffer, more = 0) => `content-length: ${length + more}\r\n`
const chunked = "transfer-encoding: chunked\r\n"
const chunk = (text: string | Buffer, size = text.length.toString(16), line = size): Buffer =>
  Buffer.concat([Buffer.from(`${line}\r\n`), Buffer.from(text), Buffer.from("\r\n")])
const last = "0\r\n\r\n"

const inChunks = ({ body, type }: Kind, fields = chunked, coded: string | Buffer = body): Buffer =>
  response({ type, body: Buffer.concat([chunk(coded), Buffer.from(last)]) }, fields)

interface Case {
  readonly sent: (kind: Kind) => Buffer | ReadonlyArray<string | Buffer>
  readonly ends?: Fault
}

const turn = ({ ends, sent }: Case, kind: Kind): Turn => {
  const writes = sent(kind)
  return { writes: Buffer.isBuffer(writes) ? [writes] : writes, ...(ends && { ends }) }
}

const odd: Readonly<Record<string, Case>> = {
  "with its length": { sent: (kind) => response(kind, length(kind.body)) },
  "in chunks": { sent: (kind) => inChunks(kind) },
  "in chunks of one byte": {
    sent: ({ body, type }) =>
      response({ type, body: `${[...body].map((byte) => chunk(byte)).join("")}${last}` }, chunked)
  },
  "in chunks with extensions": {
    sent: ({ body, type }) =>
      response({ type, body: `${chunk(body, undefined, `${body.length.toString(16)};a=b`)}${last}` }, chunked)
  },
  "in chunks with a trailer": {
    sent: ({ body, type }) => response({ type, body: `${chunk(body)}0\r\nx-digest: 1\r\n\r\n` }, chunked)
  },
  "until the connection closes": { sent: (kind) => response(kind, ""), ends: "close" },
  "in HTTP/1.0 until the connection closes": {
    sent: (kind) => response(kind, "", "HTTP/1.0 200 OK"),
    ends: "close"
  },
  "in HTTP/1.0 on a connection that is kept": {
    sent: (kind) => response(kind, `connection: keep-alive\r\n${length(kind.body)}`, "HTTP/1.0 200 OK")
  },
  "with no word for its status": { sent: (kind) => response(kind, length(kind.body), "HTTP/1.1 200") },
  "under another status of success": {
    sent: (kind) => response(kind, length(kind.body), "HTTP/1.1 206 Partial")
  },
  "after 102 and 103": {
    sent: (kind) => [
      "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n",
      response(kind, length(kind.body))
    ]
  },
  "behind 15 kB of headers": {
    sent: (kind) => response(kind, `x: ${"y".repeat(15_000)}\r\n${length(kind.body)}`)
  },
  "behind a thousand headers": {
    sent: (kind) => response(kind, "x: y\r\n".repeat(1000) + length(kind.body))
  },
  "behind a header in Latin-1": { sent: (kind) => response(kind, `x: \xe9\xff\r\n${length(kind.body)}`) },
  "in gzip": { sent: (kind) => inChunks(kind, `content-encoding: gzip\r\n${chunked}`, gzipSync(kind.body)) },
  "in GZIP": { sent: (kind) => inChunks(kind, `content-encoding: GZIP\r\n${chunked}`, gzipSync(kind.body)) },
  "in deflate": {
    sent: (kind) => inChunks(kind, `content-encoding: deflate\r\n${chunked}`, deflateSync(kind.body))
  },
  "in br": {
    sent: (kind) => inChunks(kind, `content-encoding: br\r\n${chunked}`, brotliCompressSync(kind.body))
  },
  "in a coding called identity": {
    sent: (kind) => response(kind, `content-encoding: identity\r\n${length(kind.body)}`)
  }
}

const once = "retry: { times: 0 }"

for (const [name, kind] of Object.entries(kinds)) {
  describe(`${name === "answer" ? "an answer" : "a stream"} that comes`, () => {
    for (const [how, sent] of Object.entries(odd)) {
      it.scopedLive(`${how} is one: the caller gets what it says`, () =>
        Effect.gen(function* () {
          const only = yield* rawWall
          only.script(turn(sent, kind))
          const { url } = yield* gateway(chat([only.url], { tier: once }))
          for (const round of [1, 2]) {
            const served = yield* ask(url, { body: chatBody({ stream: name === "stream" }) })
            assert.deepStrictEqual([served.status, served.text], [200, kind.body], `round ${round}`)
            assert.isUndefined(served.headers["content-encoding"])
          }
        })
      )
    }
  })
}

const { answer } = kinds
const gzipped = gzipSync(answer.body)

/** What is no answer, how it is seen, and whether its connection can go on. */
const broken: Readonly<Record<string, Case & { readonly seen: readonly [string, number?] }>> = {
  "says it is longer than it is": {
    sent: () => response(answer, length(answer.body, 5)),
    ends: "close",
    seen: ["connection"]
  },
  "says it is shorter than it is": {
    sent: () => response(answer, length(answer.body, -5)),
    seen: ["invalid_answer", 200]
  },
  "has a length and chunks": {
    sent: () => inChunks(answer, length(answer.body) + chunked),
    seen: ["connection"]
  },
  "has two lengths": {
    sent: () => response(answer, length(answer.body) + length(answer.body, -1)),
    seen: ["connection"]
  },
  "has a length below zero": { sent: () => response(answer, "content-length: -1\r\n"), seen: ["connection"] },
  "has a length that is no number": {
    sent: () => response(answer, "content-length: 0x5f\r\n"),
    seen: ["connection"]
  },
  "has a length beyond all numbers": {
    sent: () => response(answer, `content-length: ${"9".repeat(30)}\r\n`),
    seen: ["connection"]
  },
  "has a chunk shorter than it says": {
    sent: () => response({ ...answer, body: chunk(answer.body, "fff") }, chunked),
    ends: "close",
    seen: ["connection"]
  },
  "has a chunk longer than it says": {
    sent: () => response({ ...answer, body: chunk(answer.body, "5") }, chunked),
    seen: ["connection"]
  },
  "has a chunk of no size": {
    sent: () => response({ ...answer, body: chunk(answer.body, "zz") }, chunked),
    seen: ["connection"]
  },
  "has a chunk of a size below zero": {
    sent: () => response({ ...answer, body: chunk(answer.body, "-5") }, chunked),
    seen: ["connection"]
  },
  "has a chunk of a size beyond all numbers": {
    sent: () => response({ ...answer, body: chunk(answer.body, "f".repeat(17)) }, chunked),
    seen: ["connection"]
  },
  "has no last chunk": {
    sent: () => response({ ...answer, body: chunk(answer.body) }, chunked),
    ends: "close",
    seen: ["connection"]
  },
  "has 20 kB of headers": {
    sent: () => response(answer, `x: ${"y".repeat(20_000)}\r\n${length(answer.body)}`),
    seen: ["connection"]
  },
  "has a header without end": {
    sent: () => [`HTTP/1.1 200 OK\r\nx: ${"y".repeat(1_000_000)}`],
    seen: ["connection"]
  },
  "has a header with a NUL": {
    sent: () => response(answer, `x: a\0b\r\n${length(answer.body)}`),
    seen: ["connection"]
  },
  "has a header folded over lines": {
    sent: () => response(answer, `x: a\r\n b\r\n${length(answer.body)}`),
    seen: ["connection"]
  },
  "has a header without a colon": {
    sent: () => response(answer, `nonsense\r\n${length(answer.body)}`),
    seen: ["connection"]
  },
  "ends its lines in LF alone": {
    sent: () => Buffer.from(response(answer, length(answer.body)).toString().replaceAll("\r\n", "\n")),
    seen: ["connection"]
  },
  "has no head": { sent: () => [answer.body], ends: "close", seen: ["connection"] },
  "has a status of two digits": {
    sent: () => [`HTTP/1.1 20 OK\r\n\r\n`],
    ends: "close",
    seen: ["connection"]
  },
  "has a status of four digits": {
    sent: () => response(answer, length(answer.body), "HTTP/1.1 2000 OK"),
    seen: ["connection"]
  },
  "has a status that HTTP does not know": {
    sent: () => response(answer, length(answer.body), "HTTP/1.1 999 Odd"),
    seen: ["invalid_answer", 999]
  },
  "has no content": {
    sent: () => response({ ...answer, body: "" }, "", "HTTP/1.1 204 No Content"),
    seen: ["invalid_answer", 204]
  },
  "is not modified": {
    sent: () => response({ ...answer, body: "" }, "", "HTTP/1.1 304 Not Modified"),
    seen: ["redirect", 304]
  },
  // Legal, but undici takes it for a fault.
  "comes after a 100 that nobody asked for": {
    sent: () => ["HTTP/1.1 100 Continue\r\n\r\n", response(answer, length(answer.body))],
    seen: ["connection"]
  },
  "wants to speak another protocol": {
    sent: () => ["HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n"],
    seen: ["connection"]
  },
  "is HTTP/2": {
    sent: () => ["\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80"],
    ends: "close",
    seen: ["connection"]
  },
  "is cut in its gzip": {
    sent: () =>
      response({ ...answer, body: gzipped.subarray(0, 40) }, `content-encoding: gzip\r\n${length("", 40)}`),
    seen: ["connection"]
  },
  "says it is gzip and is not": {
    sent: () => response(answer, `content-encoding: gzip\r\n${length(answer.body)}`),
    seen: ["connection"]
  },
  "has a coding that nobody knows": {
    sent: () => response({ ...answer, body: gzipped }, `content-encoding: snappy\r\n${length(gzipped)}`),
    seen: ["invalid_answer", 200]
  }
}

describe("an answer is none, and the next tier gives one, where it", () => {
  for (const [how, { seen, ...sent }] of Object.entries(broken)) {
    it.scopedLive(`${how}: ${seen.join(" ")}`, () =>
      Effect.gen(function* () {
        const [first, second] = [yield* rawWall, yield* wall]
        first.script(turn(sent, answer))
        const { log, url } = yield* gateway(chat([first.url, second.url], { tier: once }))
        const { headers, text } = yield* ask(url)
        assert.strictEqual(headers["x-understudy-tier"], "tier2")
        assert.include(text, "Hello there")
        assert.deepStrictEqual([log[0]?.["error_type"], log[0]?.["status"]], [seen[0], seen[1]])
        assert.deepStrictEqual([first.requests(), first.connections()], [1, 1])
        if (seen[1] === undefined) yield* eventually(() => first.open() === 0)
      })
    )
  }
})
