import { defaultScheduler, type Scheduler, SchedulerRunner } from "effect/Scheduler"

/** How many turns there have been of one scheduler. It has at most one per event loop tick, but others have theirs. */
interface Count {
  turns: number
}

/** The scheduler of all requests. */
interface Turns extends Scheduler {
  /** A connection was accepted, and others may be waiting. */
  readonly accepted: () => void
}

/**
 * A scheduler that runs the fibers of all requests once per event loop tick, after all input has been read, instead of
 * each as soon as possible. Similar steps of many requests then run one after the other, while their code is in the
 * processor's caches: the busier the gateway, the less a request costs. See docs/performance-steps.md (J. Larus and M.
 * Parkes, Using Cohort Scheduling to Enhance Server Performance, USENIX 2002).
 *
 * Tasks that fibers schedule for each other run in the same tick, for at most `rounds` rounds; then the network gets
 * its turn, even if a fiber never ends.
 *
 * libuv accepts only one connection per tick. So while connections keep coming, the fibers run only every
 * `mostAccepted` ticks; otherwise each new caller would get a tick of its own.
 */
export const make = (): Turns => {
  const own: Count = { turns: 0 }
  let mayCome = false
  let waited = 0
  const begin = (run: (round: number) => void): void => {
    const waits = mayCome && waited < mostAccepted
    mayCome = false
    waited = waits ? waited + 1 : 0
    if (waits) return void setImmediate(begin, run)
    own.turns++
    latest = own
    isUnderway = true
    try {
      run(1)
    } finally {
      isUnderway = false
    }
  }
  const runner = new SchedulerRunner((round, run) => {
    if (round > 0 && round < rounds) run(round + 1)
    else setImmediate(begin, run)
  })
  return {
    // Called in every iteration of the run loop; few fibers reach this count.
    shouldYield: (fiber) => fiber.currentOpCount > opsBeforeYield && defaultScheduler.shouldYield(fiber),
    scheduleTask: (task, priority) => runner.scheduleTask(task, priority),
    accepted: () => {
      mayCome = true
    }
  }
}

let latest: Count = { turns: 0 }
let isUnderway = false

/** The count of the turn that is under way, or was the last one. */
export const current = (): Count => latest

/** The first turn of the current count before which every socket will have been read after now. */
export const afterNextRead = (): number => latest.turns + (isUnderway ? 1 : 2)

/** Whether this turn of this count is under way, or a later one. Between two turns of one count every socket is read. */
export const isReached = (count: Count, turn: number): boolean =>
  isUnderway && latest === count && count.turns >= turn

const rounds = 32

/** The more ticks without a run of the fibers, the later the first callers get their answers. */
const mostAccepted = 8

/** Effect's own default. */
const opsBeforeYield = 2_048
