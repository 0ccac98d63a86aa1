/**
 * Limits how many requests may be in flight, and how many may wait for a free place.
 *
 * @since 0.1.0
 */
import * as Thin from "@understudy/core/Thin"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"

/**
 * Admits requests to a server.
 *
 * @since 0.1.0
 * @category models
 */
export interface Admission {
  /** Waits for a place and holds it until the scope closes; `false` if the request is turned away. */
  readonly enter: Effect.Effect<boolean, never, Scope.Scope>
}

/**
 * The limits of a server.
 *
 * @since 0.1.0
 * @category models
 */
export interface Limits {
  /** Requests in flight at once. */
  readonly maxInFlight: number
  /** Requests that wait for a place; one more is turned away at once. */
  readonly maxQueue: number
  /** The longest wait for a place. */
  readonly maxWait: Duration.DurationInput
}

/**
 * Admits every request.
 *
 * @example
 * import { Effect } from "effect"
 * import { Admission } from "@understudy/http"
 *
 * console.log(Effect.runSync(Effect.scoped(Admission.unbounded.enter))) // => true
 *
 * @since 0.1.0
 * @category constructors
 */
export const unbounded: Admission = { enter: Effect.succeed(true) }

/**
 * Admits requests in order of arrival, up to the limits. An interrupted waiter leaves the queue.
 *
 * @example
 * import { Effect } from "effect"
 * import { Admission } from "@understudy/http"
 *
 * const { enter } = Admission.make({ maxInFlight: 1, maxQueue: 0, maxWait: "5 seconds" })
 *
 * console.log(Effect.runSync(Effect.scoped(Effect.all([enter, enter])))) // => [ true, false ]
 * console.log(Effect.runSync(Effect.scoped(enter))) // => true
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = ({ maxInFlight, maxQueue, maxWait }: Limits): Admission => {
  const longest = Duration.decode(maxWait)
  const queue = new Set<Guest>()
  let inFlight = 0

  const arrive = (): Guest => {
    const guest: Guest = { admitted: inFlight < maxInFlight, call: nobody }
    if (guest.admitted) inFlight++
    else if (queue.size < maxQueue) queue.add(guest)
    return guest
  }

  const depart = (guest: Guest): void => {
    queue.delete(guest)
    if (!guest.admitted) return
    const [next] = queue
    if (next === undefined) return void inFlight--
    queue.delete(next)
    next.admitted = true
    next.call()
  }

  const called = (guest: Guest): Effect.Effect<void> =>
    Effect.async((resume) => {
      guest.call = () => resume(Effect.void)
      if (guest.admitted) guest.call()
    })

  const waited = (guest: Guest): Effect.Effect<boolean> =>
    Effect.map(Effect.timeoutOption(called(guest), longest), () => {
      queue.delete(guest)
      // It may have been admitted at the very moment it timed out.
      return guest.admitted
    })

  return {
    enter: Thin.scopeWith((scope) => {
      let guest: Guest | undefined
      let closed = false
      const departs = () =>
        Effect.sync(() => {
          closed = true
          if (guest) depart(guest)
        })
      // Registered before it arrives, so that nothing can come in between.
      return Effect.flatMap(Scope.addFinalizerExit(scope, departs), () => {
        // In a closed scope, its place would never be freed.
        if (closed) return Effect.succeed(false)
        guest = arrive()
        return guest.admitted || !queue.has(guest) ? Effect.succeed(guest.admitted) : waited(guest)
      })
    })
  }
}

const nobody = (): void => {}

interface Guest {
  admitted: boolean
  call: () => void
}
