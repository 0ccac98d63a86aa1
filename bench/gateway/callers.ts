import { Agent, request } from "undici"
import type { Question } from "./contenders.ts"

export interface Call {
  /** Milliseconds to the first byte of the answer, to the first word that it says, and to its end. */
  readonly byte: number
  readonly first: number
  readonly whole: number
  readonly text: string
}

export const call = async (dispatcher: Agent, { body, headers, url }: Question): Promise<Call> => {
  const started = performance.now()
  const response = await request(url, { dispatcher, method: "POST", headers, body })
  let byte: number | undefined
  let first: number | undefined
  let text = ""
  for await (const chunk of response.body) {
    byte ??= performance.now() - started
    text += chunk
    if (saysSomething.test(text)) first ??= performance.now() - started
  }
  if (response.statusCode !== 200) throw new Error(`${url} answered ${response.statusCode}: ${text}`)
  return { byte: byte ?? Number.NaN, first: first ?? Number.NaN, whole: performance.now() - started, text }
}

const saysSomething = /"content":"[^"]/

/** So many callers, each with its next call as soon as it has the answer to the last. */
export const callers = async (
  question: Question,
  count: number,
  callsEach: number
): Promise<ReadonlyArray<Call>> => {
  const dispatcher = agent()
  const one = async (): Promise<ReadonlyArray<Call>> => {
    const calls: Array<Call> = []
    for (let i = 0; i < callsEach; i++) calls.push(await call(dispatcher, question))
    return calls
  }
  const calls = await Promise.all(Array.from({ length: count }, one))
  await dispatcher.close()
  return calls.flat()
}

export interface Burst {
  /** Milliseconds from the first call to the last answer. */
  readonly wall: number
  readonly lost: number
}

/** So many calls at once; `meanwhile` runs when all of them have gone out. */
export const burst = async (
  question: Question,
  count: number,
  meanwhile: () => Promise<void> = async () => {}
): Promise<Burst> => {
  const dispatcher = agent()
  const started = performance.now()
  const calls = Promise.allSettled(Array.from({ length: count }, () => call(dispatcher, question)))
  await meanwhile()
  const settled = await calls
  const wall = performance.now() - started
  await dispatcher.destroy()
  return { wall, lost: settled.filter(({ status }) => status === "rejected").length }
}

/** A connection for every call under way. */
export const agent = (): Agent => new Agent({ headersTimeout: 60_000, bodyTimeout: 60_000 })
