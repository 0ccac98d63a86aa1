import * as Duration from "effect/Duration"
import type { ErrorBody } from "./errorBody.ts"

type Headers = Readonly<Record<string, string>>

/** The wait that an answer asks for, at most a day; see `ErrorTable.retryAfter`. */
export const waitAsked = (
  headers: Headers,
  error: ErrorBody,
  nowMillis: number
): Duration.Duration | undefined => {
  const millis = headers["retry-after-ms"]?.trim() ?? ""
  const after = headers["retry-after"]?.trim() ?? ""
  return firstWait([
    decimal.test(millis) ? Number(millis) : 0,
    decimal.test(after) ? Number(after) * 1000 : 0,
    dateOf(after) - nowMillis,
    googleDelay.test(error.retryDelay ?? "") ? sum(error.retryDelay) : 0,
    sum(hint.exec(error.text)?.[1])
  ])
}

/** The wait until every exhausted limit has been reset. */
export const untilReset = (headers: Headers): Duration.Duration | undefined => {
  const waits = limits.map((limit) =>
    headers[`x-ratelimit-remaining-${limit}`]?.trim() === "0"
      ? resetOf(headers[`x-ratelimit-reset-${limit}`]?.trim() ?? "")
      : 0
  )
  return firstWait([Math.max(...waits)])
}

const limits = ["requests", "tokens", "project-tokens"]

const day = 24 * 60 * 60 * 1000

const firstWait = (waits: ReadonlyArray<number>): Duration.Duration | undefined => {
  const asked = waits.find((millis) => millis > 0)
  return asked === undefined ? undefined : Duration.millis(Math.min(asked, day))
}

const decimal = /^\d+(\.\d+)?$/
// `Date.parse` accepts nearly anything, even "-5".
const httpDate = /^(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*, .* gmt$/i
const cDate = /^(?:mon|tue|wed|thu|fri|sat|sun) [a-z]{3} [ \d]\d \d\d:\d\d:\d\d \d{4}$/i
const googleDelay = /^\d+(\.\d+)?s$/
const wait = /(\d+(?:\.\d+)?)\s?(h(?:ours?)?|ms|m(?:in(?:utes?)?)?|s(?:ec(?:onds?)?)?|[u\xb5]s|ns)(?![a-z])/gi
const hint = new RegExp(`(?:try again|retry) (?:in|after) ((?:${wait.source}\\s?)+)`, "i")
const waits = new RegExp(`^(?:${wait.source})+$`, "i")

const millisPer: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
  us: 1e-3,
  µs: 1e-3,
  ns: 1e-6
}

const dateOf = (text: string): number => {
  if (httpDate.test(text)) return Date.parse(text)
  return cDate.test(text) ? Date.parse(`${text} GMT`) : Number.NEGATIVE_INFINITY
}

const resetOf = (text: string): number =>
  decimal.test(text) ? Number(text) * 1000 : waits.test(text) ? sum(text) : 0

const sum = (words = ""): number =>
  Array.from(words.toLowerCase().matchAll(wait)).reduce((total, [, amount, unit = ""]) => {
    const millis = millisPer[unit] ?? millisPer[unit.charAt(0)] ?? 0
    return total + Number(amount) * millis
  }, 0)
