import { type Delta, readChunk } from "../../ChatCompletion.ts"
import type * as Sse from "../../Sse.ts"
import type { Facts } from "../provider/genAi.ts"
import { Alike } from "./alike.ts"
import { type ChatReader, malformed, nothing, part, type Read } from "./chatStream.ts"

/** Reads OpenAI's chunks without changing their bytes. `n` choices were requested. */
export const chunkReader = (n = 1): ChatReader => {
  const begun = new Set<number>()
  const finished = new Map<number, string>()
  // Some servers say in the middle, or in every chunk, that it is the end: those choices, until it is.
  const notOver = new Set<number>()
  let wentOn = false
  const alike = new Alike<Delta>()
  let known: Omit<Facts, "finishReasons"> = { id: undefined, model: undefined, usage: undefined }

  const read = ({ data, event, raw }: Sse.Event): Read => {
    const before = alike.find(raw)
    if (before !== undefined) {
      if (before.finished.length > 0) advance(before)
      return part(raw, before.meaningful, before.usage)
    }
    // OpenAI's clients take a name without data for an event and fail on its empty data.
    if (data === undefined) return event === "" ? part(raw) : nothing
    if (event === "error") return { _tag: "ErrorEvent", body: data }
    const chunk = readChunk(data)
    switch (chunk._tag) {
      case "Malformed":
        return malformed
      case "Done":
        notOver.clear()
        return { _tag: "End", last: undefined }
      case "Error":
        return { _tag: "ErrorEvent", body: chunk.body }
      case "Delta":
        if (chunk.failed) return { _tag: "ErrorEvent", body: data }
        for (let index = 0; index < chunk.choices; index++) begun.add(index)
        advance(chunk)
        note(chunk)
        alike.learn(raw, chunk)
        return part(raw, chunk.meaningful, chunk.usage)
    }
  }

  const advance = (chunk: Delta): void => {
    for (const index of chunk.added) {
      if (!finished.has(index)) continue
      notOver.add(index)
      wentOn = true
    }
    for (const [at, index] of chunk.finished.entries()) {
      finished.set(index, chunk.finishReasons[at] ?? "")
      notOver.delete(index)
    }
  }

  const note = ({ id, model, usage }: Delta): void => {
    if (known.id === undefined || usage !== undefined) {
      known = { id: known.id ?? id, model: known.model ?? model, usage: usage ?? known.usage }
    }
  }

  // Some upstreams send one choice however many were requested, and others send them one after the other.
  const isWhole = (): boolean => begun.size > 0 && finished.size === begun.size && notOver.size === 0
  const facts = (): Facts => ({
    ...known,
    finishReasons: [...begun].map((index) => finished.get(index) ?? "error")
  })
  return { read, isWhole, hasAll: () => !wentOn && finished.size >= n && isWhole(), facts }
}
