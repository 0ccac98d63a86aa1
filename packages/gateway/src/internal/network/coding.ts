import type { Transform } from "node:stream"
import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib"

/**
 * What undoes the coding of a body. We ask for none, and some put one on all the same; one that is unknown is left as
 * it is.
 */
export const decoderOf = (coding: string): Transform | undefined =>
  decoders.get(coding.trim().toLowerCase())?.()

const decoders = new Map([
  ["gzip", createGunzip],
  ["x-gzip", createGunzip],
  ["deflate", createInflate],
  ["br", createBrotliDecompress]
])
