import { Effect } from "effect"
import type { APIError } from "openai7"

/** What a call of a client throws; that it throws is part of the test. */
export const rejection = (call: () => PromiseLike<unknown>): Effect.Effect<APIError> =>
  Effect.promise(async () => {
    try {
      await call()
    } catch (error) {
      return error as APIError
    }
    throw new Error("the call succeeded")
  })
