import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { RuntimeFiber } from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as FiberRef from "effect/FiberRef"
import * as FiberRefs from "effect/FiberRefs"
import { MixedScheduler, type Scheduler } from "effect/Scheduler"

type Locals = FiberRefs.FiberRefs["locals"]
type Key = Parameters<Locals["get"]>[0]
type Stack = NonNullable<ReturnType<Locals["get"]>>

/**
 * The locals of an attempt before it sets any: those of the run, unless they are its own, looked up where they are. A
 * fiber copies them all to set one, and the copy has lost the mark, which is no entry. To ask for the mark costs
 * nothing, where to look at the locals makes a copy of them.
 */
class Untouched implements ReadonlyMap<Key, Stack> {
  private readonly locals: Locals
  private readonly context: Stack
  private readonly scheduler: Stack | undefined
  private copy: Locals | undefined

  constructor(locals: Locals, context: Stack, scheduler: Stack | undefined) {
    this.locals = locals
    this.context = context
    this.scheduler = scheduler
  }

  has(ref: Key): boolean {
    return this.get(ref) !== undefined
  }

  get(ref: Key): Stack | undefined {
    switch (ref) {
      case FiberRef.currentContext:
        return this.context
      case FiberRef.currentScheduler:
        return this.scheduler ?? this.locals.get(ref)
      case FiberRef.interruptedCause:
        return undefined
      case mark:
        return marked
      default:
        return this.locals.get(ref)
    }
  }

  get size(): number {
    return this.copied().size
  }

  forEach(f: (stack: Stack, ref: Key, map: Locals) => void): void {
    this.copied().forEach(f)
  }

  keys(): MapIterator<Key> {
    return this.copied().keys()
  }

  values(): MapIterator<Stack> {
    return this.copied().values()
  }

  entries(): MapIterator<[Key, Stack]> {
    return this.copied().entries()
  }

  [Symbol.iterator](): MapIterator<[Key, Stack]> {
    return this.entries()
  }

  copied(): Locals {
    if (this.copy === undefined) {
      const copy: Locals = new Map()
      // Twice as fast as to copy a Map by its constructor.
      this.locals.forEach((stack, ref) => {
        copy.set(ref, stack)
      })
      copy.delete(FiberRef.interruptedCause)
      copy.set(FiberRef.currentContext, this.context)
      if (this.scheduler !== undefined) copy.set(FiberRef.currentScheduler, this.scheduler)
      this.copy = copy
    }
    return this.copy
  }
}

const mark: FiberRef.FiberRef<boolean> = FiberRef.unsafeMake(false)
const marked: Stack = [[FiberId.none, true]]

/**
 * Lets the attempts of a run wait for their turn in the run's own queue. Effect's own scheduler keeps a queue for every fiber
 * that ever waits, in a table whose upkeep costs the collector more than the fiber.
 */
class RunScheduler implements Scheduler {
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

/** The locals of the fiber that a run is in, and of its attempts. */
export class RunLocals {
  private readonly locals: Locals
  private readonly scheduler: Stack | undefined

  constructor(fiber: RuntimeFiber<unknown, unknown>) {
    // Where Effect lets us, without the copy of them all that `getFiberRefs` makes.
    const { locals } =
      (fiber as { readonly _fiberRefs?: FiberRefs.FiberRefs })._fiberRefs ?? fiber.getFiberRefs()
    // In a run in a run in a run, they would be looked up through all of these.
    this.locals = locals instanceof Untouched ? locals.copied() : locals
    if (fiber.currentScheduler instanceof MixedScheduler) {
      this.scheduler = [[fiber.id(), new RunScheduler(fiber)]]
    }
  }

  /** Those of an attempt: the run's, as if it ran in the same fiber, and a context of its own. */
  forAttempt(id: FiberId.Single, context: Context.Context<never>): FiberRefs.FiberRefs {
    const own: ReadonlyMap<Key, Stack> = new Untouched(this.locals, [[id, context]], this.scheduler)
    // Effect only reads locals: it copies them to change them.
    return FiberRefs.unsafeMake(own as Locals)
  }

  /** Makes what an attempt has set the run's. */
  inherit(attempt: RuntimeFiber<unknown, unknown>): Effect.Effect<void> {
    if (attempt.getFiberRef(mark)) return Effect.void
    const refs = attempt.getFiberRefs()
    for (const [ref, stack] of refs.locals) {
      if (!ofFiberAlone.has(ref) && this.locals.get(ref) !== stack) {
        return Effect.inheritFiberRefs(
          [...ofFiberAlone].reduce((refs, ref) => FiberRefs.delete(refs, ref), refs)
        )
      }
    }
    return Effect.void
  }
}

const ofFiberAlone: ReadonlySet<Key> = new Set<Key>([
  FiberRef.currentContext,
  FiberRef.currentRuntimeFlags,
  FiberRef.currentScheduler
])
