import { defaultScheduler, type Scheduler, SchedulerRunner } from "effect/Scheduler"

/**
 * Lets the fibers of all requests run once in a turn of the event loop, after everything that has come in was read, and
 * not each of them as soon as it could. What many requests do alike is then done for one after the other, while the code for it
 * is at hand. So the busier the gateway, the less a request costs: see docs/performance.md (J. Larus and M. Parkes, Using Cohort Scheduling to Enhance Server
 * Performance, USENIX 2002).
 *
 * What fibers give each other to do is done in the same turn, but for no more than `rounds`: then the network has its turn, even
 * where a fiber never comes to an end.
 */
export const make = (): Scheduler => {
  const runner = new SchedulerRunner((round, run) => {
    if (round > 0 && round < rounds) run(round + 1)
    else setImmediate(run, 1)
  })
  return {
    // Asked at every turn of a fiber, few of which have so many.
    shouldYield: (fiber) => fiber.currentOpCount > opsBeforeYield && defaultScheduler.shouldYield(fiber),
    scheduleTask: (task, priority) => runner.scheduleTask(task, priority)
  }
}

const rounds = 32

/** Effect's own. */
const opsBeforeYield = 2_048
