/**
 * How many requests may be under way at once, and how many may wait for a place.
 *
 * @since 0.1.0
 */
import * as Thin from "@understudy/core/Thin"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"

/**
 * The door of a server.
 *
 * @since 0.1.0
 * @category models
 */
export interface Admission {
  /** Waits for a place and keeps it until the scope closes; `false` where there is none to be had. */
  readonly enter: Effect.Effect<boolean, never, Scope.Scope>
}

/**
 * How many a server lets in at once.
 *
 * @since 0.1.0
 * @category models
 */
export interface Limits {
  /** Requests under way at once. */
  readonly maxInFlight: number
  /** Requests that wait for a place; one more is turned away at once. */
  readonly maxQueue: number
  /** How long one waits at most. */
  readonly maxWait: Duration.DurationInput
}

/**
 * Lets everybody in.
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
 * Places for so many, given in the order in which they are asked for. Whoever stops waiting leaves the queue.
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
      // It may have been called in the very moment in which it gave up.
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
      // Before it arrives, so that nothing can come between the two.
      return Effect.flatMap(Scope.addFinalizerExit(scope, departs), () => {
        // Nobody would give its place back.
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
