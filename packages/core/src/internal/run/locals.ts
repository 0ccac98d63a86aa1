import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { RuntimeFiber } from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as FiberRef from "effect/FiberRef"
import * as FiberRefs from "effect/FiberRefs"
import type { Scheduler } from "effect/Scheduler"

type Locals = FiberRefs.FiberRefs["locals"]
type Key = Parameters<Locals["get"]>[0]
type Stack = NonNullable<ReturnType<Locals["get"]>>

/**
 * The locals of a fiber before it sets any: a fiber copies them all to set one, and the copy has lost the mark,
 * which is no entry. To ask for the mark costs nothing, where to look at the locals makes a copy of them.
 */
class Untouched extends Map<Key, Stack> {
  override has(ref: Key): boolean {
    return ref === mark || super.has(ref)
  }
  override get(ref: Key): Stack | undefined {
    return ref === mark ? marked : super.get(ref)
  }
}

const mark: FiberRef.FiberRef<boolean> = FiberRef.unsafeMake(false)
const marked: Stack = [[FiberId.none, true]]

/**
 * Lets the attempts of a run wait for their turn in the run's own queue. Effect keeps a queue for every fiber that
 * ever waits, in a table whose upkeep costs the collector more than the fiber.
 */
export class RunScheduler implements Scheduler {
  private readonly fiber: RuntimeFiber<unknown, unknown>
  private readonly scheduler: Scheduler

  constructor(fiber: RuntimeFiber<unknown, unknown>) {
    this.fiber = fiber
    this.scheduler = fiber.currentScheduler
  }

  shouldYield(fiber: RuntimeFiber<unknown, unknown>): number | false {
    return this.scheduler.shouldYield(fiber)
  }

  scheduleTask(task: () => void, priority: number): void {
    this.scheduler.scheduleTask(task, priority, this.fiber)
  }
}

/** The locals of an attempt: the run's, as if it ran in the same fiber, and a context of its own. */
export const forAttempt = (
  { locals }: FiberRefs.FiberRefs,
  id: FiberId.Single,
  context: Context.Context<never>,
  scheduler: RunScheduler
): FiberRefs.FiberRefs => {
  const own = new Untouched()
  // Twice as fast as to copy a Map by its constructor.
  locals.forEach((stack, ref) => {
    own.set(ref, stack)
  })
  own.delete(FiberRef.interruptedCause)
  own.set(FiberRef.currentContext, [[id, context]])
  own.set(FiberRef.currentScheduler, [[id, scheduler]])
  return FiberRefs.unsafeMake(own)
}

/** Makes what an attempt has set the run's. */
export const inherit = (
  attempt: RuntimeFiber<unknown, unknown>,
  run: FiberRefs.FiberRefs
): Effect.Effect<void> => {
  if (attempt.getFiberRef(mark)) return Effect.void
  const refs = attempt.getFiberRefs()
  for (const [ref, stack] of refs.locals) {
    if (!ofFiberAlone.has(ref) && run.locals.get(ref) !== stack) {
      return Effect.inheritFiberRefs(
        [...ofFiberAlone].reduce((refs, ref) => FiberRefs.delete(refs, ref), refs)
      )
    }
  }
  return Effect.void
}

const ofFiberAlone: ReadonlySet<Key> = new Set<Key>([
  FiberRef.currentContext,
  FiberRef.currentRuntimeFlags,
  FiberRef.currentScheduler
])
