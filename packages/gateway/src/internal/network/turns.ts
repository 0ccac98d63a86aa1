import { defaultScheduler, type Scheduler, SchedulerRunner } from "effect/Scheduler"

/** The turns of all requests. */
interface Turns extends Scheduler {
  /** A connection was accepted, and others may wait. */
  readonly accepted: () => void
}

/**
 * Lets the fibers of all requests run once in a turn of the event loop, after everything that has come in was read, and
 * not each of them as soon as it could. What many requests do alike is then done for one after the other, while the code for it
 * is at hand. So the busier the gateway, the less a request costs: see docs/performance.md (J. Larus and M. Parkes, Using Cohort Scheduling to Enhance Server
 * Performance, USENIX 2002).
 *
 * What fibers give each other to do is done in the same turn, but for no more than `rounds`: then the network has its turn, even
 * where a fiber never comes to an end.
 *
 * Of connections that wait to be accepted libuv takes one in a turn of its loop. So while they come a turn of the fibers is many of the
 * loop's: else each new caller would have one of its own.
 */
export const make = (): Turns => {
  let mayCome = false
  let waited = 0
  const begin = (run: (round: number) => void): void => {
    const waits = mayCome && waited < mostAccepted
    mayCome = false
    waited = waits ? waited + 1 : 0
    if (waits) setImmediate(begin, run)
    else run(1)
  }
  const runner = new SchedulerRunner((round, run) => {
    if (round > 0 && round < rounds) run(round + 1)
    else setImmediate(begin, run)
  })
  return {
    // Asked at every turn of a fiber, few of which have so many.
    shouldYield: (fiber) => fiber.currentOpCount > opsBeforeYield && defaultScheduler.shouldYield(fiber),
    scheduleTask: (task, priority) => runner.scheduleTask(task, priority),
    accepted: () => {
      mayCome = true
    }
  }
}

const rounds = 32

/** In one turn of the fibers: the more, the later those who came first have their answers. */
const mostAccepted = 8

/** Effect's own. */
const opsBeforeYield = 2_048
