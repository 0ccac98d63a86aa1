import { createReadStream } from "node:fs"
import { pipeline, Readable } from "node:stream"
import { createGunzip } from "node:zlib"

/** Receives each line of a text; for overlong lines only that they exist. */
interface Hearer {
  readonly line: (text: string) => void
  readonly tooLong: () => void
  /** So many bytes have been read of the file. */
  readonly read: (bytes: number) => void
}

/** What a log line never is as long as. */
const longest = 1_000_000

export const open = (path: string): Readable => createReadStream(path, { highWaterMark: 1 << 18 })

/** Reads a text line by line, decompressing gzip. No more than one line is kept. */
export const eachLine = async (source: Readable, hearer: Hearer): Promise<void> => {
  const plain = await unpacked(source, hearer.read)
  let left: ReadonlyArray<Buffer> = []
  let length = 0
  const end = (part: Buffer): void => {
    if (length + part.length > longest) hearer.tooLong()
    else {
      const text = Buffer.concat([...left, part])
        .toString()
        .trim()
      if (text !== "") hearer.line(text)
    }
    left = []
    length = 0
  }
  for await (const chunk of plain) {
    const bytes: Buffer = chunk
    let start = 0
    for (let newline = bytes.indexOf(10); newline !== -1; newline = bytes.indexOf(10, start)) {
      end(bytes.subarray(start, newline))
      start = newline + 1
    }
    const rest = bytes.subarray(start)
    length += rest.length
    left = length > longest ? [] : [...left, rest]
  }
  if (length > 0) end(Buffer.alloc(0))
}

const unpacked = async (source: Readable, read: (bytes: number) => void): Promise<AsyncIterable<Buffer>> => {
  const chunks = counted(source, read)
  const first = await chunks.next()
  if (first.done) return empty()
  const all = resumed(first.value, chunks)
  if (!(first.value[0] === 0x1f && first.value[1] === 0x8b)) return all
  // Its errors surface at the reader.
  return pipeline(Readable.from(all), createGunzip(), () => {})
}

async function* counted(source: Readable, read: (bytes: number) => void): AsyncGenerator<Buffer> {
  for await (const chunk of source) {
    read(chunk.length)
    yield chunk
  }
}

async function* resumed(first: Buffer, rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield first
  yield* rest
}

async function* empty(): AsyncGenerator<Buffer> {}
