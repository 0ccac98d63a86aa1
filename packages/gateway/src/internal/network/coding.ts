import type { Transform } from "node:stream"
import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib"

/**
 * Decodes a compressed body. We ask for none, but some upstreams compress anyway; unknown codings are passed through.
 */
export const decoderOf = (coding: string): Transform | undefined =>
  decoders.get(coding.trim().toLowerCase())?.()

const decoders = new Map([
  ["gzip", createGunzip],
  ["x-gzip", createGunzip],
  ["deflate", createInflate],
  ["br", createBrotliDecompress]
])
