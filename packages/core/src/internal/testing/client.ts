import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { AllTiersFailed } from "../run/ladder.ts"
import type { Draws } from "./draws.ts"

/**
 * How long OpenAI's own clients wait before a retry, in milliseconds; `undefined` if the answer to this failure tells
 * them not to retry. `tried` counts the attempts so far.
 */
export const clientWait = (
  exit: Exit.Exit<unknown, unknown>,
  tried: number,
  draws: Draws
): number | undefined => {
  const error = Exit.isFailure(exit) ? Option.getOrUndefined(Cause.failureOption(exit.cause)) : undefined
  if (!(error instanceof AllTiersFailed)) return undefined
  if (error.retryAfter !== undefined) {
    return Math.min(60, Math.max(1, Math.ceil(Duration.toSeconds(error.retryAfter)))) * 1000
  }
  const limited =
    error.attempts.length > 0 && error.attempts.every(({ errorType }) => errorType === "rate_limited")
  return error.reason === "open" || limited ? clientBackoff(tried, draws) : undefined
}

/** From 0.5 s, doubling up to 8 s, minus up to a quarter. */
export const clientBackoff = (tried: number, draws: Draws): number =>
  Math.min(8_000, 500 * 2 ** (tried - 1)) * (1 - 0.25 * draws.next())
