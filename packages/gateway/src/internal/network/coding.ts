import { pipeline, type Readable } from "node:stream"
import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib"

/**
 * A body without the coding that it came in. We ask for none, and some put one on all the same; one that is unknown
 * is left as it is.
 */
export const decoded = (body: Readable, coding = "identity"): Readable => {
  const decoder = decoders.get(coding.trim().toLowerCase())?.()
  // The body fails with either of them.
  return decoder === undefined ? body : pipeline(body, decoder, () => {})
}

const decoders = new Map([
  ["gzip", createGunzip],
  ["x-gzip", createGunzip],
  ["deflate", createInflate],
  ["br", createBrotliDecompress]
])
