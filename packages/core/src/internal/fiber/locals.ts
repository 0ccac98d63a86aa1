import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { RuntimeFiber } from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as FiberRef from "effect/FiberRef"
import * as FiberRefs from "effect/FiberRefs"
import * as Runtime from "effect/Runtime"
import type * as RuntimeFlags from "effect/RuntimeFlags"
import { MixedScheduler, type Scheduler } from "effect/Scheduler"
import { copyOf, Overlay } from "./overlay.ts"

type Locals = FiberRefs.FiberRefs["locals"]
type Key = Parameters<Locals["get"]>[0]
type Stack = NonNullable<ReturnType<Locals["get"]>>

/**
 * The `FiberRef`s of a fiber that has not set any: they are looked up in another fiber's, except for its own few.
 * Setting one copies them all, and the copy lacks the mark, so that asking for the mark tells whether any was set,
 * without the copy that reading all of them would make.
 */
class Untouched extends Overlay<Key, Stack> {
  private readonly locals: Locals
  private readonly id: FiberId.Single
  private readonly context: Context.Context<never>
  private readonly scheduler: Stack | undefined

  constructor(
    locals: Locals,
    id: FiberId.Single,
    context: Context.Context<never>,
    scheduler: Stack | undefined
  ) {
    super()
    this.locals = locals
    this.id = id
    this.context = context
    this.scheduler = scheduler
  }

  /** Looking through more than two layers would cost more than a copy. */
  get isDeep(): boolean {
    return this.locals instanceof Untouched
  }

  has(ref: Key): boolean {
    return this.get(ref) !== undefined
  }

  get(ref: Key): Stack | undefined {
    switch (ref) {
      case FiberRef.currentContext:
        // A fiber reads this once and caches it.
        return [[this.id, this.context]]
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

  protected copied(): Locals {
    const copy = copyOf(this.locals)
    copy.delete(FiberRef.interruptedCause)
    copy.set(FiberRef.currentContext, [[this.id, this.context]])
    if (this.scheduler !== undefined) copy.set(FiberRef.currentScheduler, this.scheduler)
    return copy
  }
}

const none = FiberRefs.empty()

const mark: FiberRef.FiberRef<boolean> = FiberRef.unsafeMake(false)
const marked: Stack = [[FiberId.none, true]]

/**
 * Queues forked fibers with the fiber that forked them. Effect's own scheduler keeps a queue per waiting fiber, in a
 * table whose upkeep costs the garbage collector more than the fiber does.
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

const schedulerOf = (fiber: RuntimeFiber<unknown, unknown>): Scheduler | undefined =>
  fiber.currentScheduler instanceof MixedScheduler ? new RunScheduler(fiber) : undefined

/**
 * The `FiberRef`s of a fiber, for the fibers that it forks.
 *
 * @since 0.1.0
 * @category models
 */
export interface FiberLocals {
  /** Forks an unsupervised fiber that sees them, with a context of its own. */
  readonly fork: <A, E, R>(
    effect: Effect.Effect<A, E, R>,
    context: Context.Context<R>,
    runtimeFlags: RuntimeFlags.RuntimeFlags
  ) => RuntimeFiber<A, E>
}

/**
 * A fiber's current `FiberRef`s, shared with other fibers without a copy. `scheduler` is the scheduler of those fibers.
 * Default: the fiber's own.
 *
 * @example
 * import { Context, Effect, Fiber, FiberRef } from "effect"
 * import { Thin } from "@understudy/core"
 *
 * const level = FiberRef.unsafeMake("low")
 * const forked = Effect.withFiberRuntime<string>((fiber, { runtimeFlags }) =>
 *   Fiber.join(Thin.localsOf(fiber).fork(FiberRef.get(level), Context.empty(), runtimeFlags))
 * )
 *
 * console.log(await Effect.runPromise(Effect.locally(forked, level, "high"))) // => high
 *
 * @since 0.1.0
 * @category constructors
 */
export const localsOf = (fiber: RuntimeFiber<unknown, unknown>, scheduler?: Scheduler): FiberLocals =>
  new RunLocals(fiber, scheduler)

/** Those of a run's fiber, for its attempts. */
export class RunLocals implements FiberLocals {
  private readonly locals: Locals
  private readonly scheduler: Stack | undefined

  constructor(fiber: RuntimeFiber<unknown, unknown>, scheduler = schedulerOf(fiber)) {
    // If Effect allows it, without the copy that `getFiberRefs` makes.
    const { locals } =
      (fiber as { readonly _fiberRefs?: FiberRefs.FiberRefs })._fiberRefs ?? fiber.getFiberRefs()
    this.locals = locals instanceof Untouched && locals.isDeep ? locals.all : locals
    this.scheduler = scheduler && [[fiber.id(), scheduler]]
  }

  fork<A, E, R>(
    effect: Effect.Effect<A, E, R>,
    context: Context.Context<R>,
    runtimeFlags: RuntimeFlags.RuntimeFlags
  ): RuntimeFiber<A, E> {
    return Runtime.runFork(Runtime.make({ context, fiberRefs: none, runtimeFlags }), effect, {
      updateRefs: (_, id) => {
        const own: ReadonlyMap<Key, Stack> = new Untouched(this.locals, id, context, this.scheduler)
        // Safe, since Effect only reads this map and copies it to change it.
        return FiberRefs.unsafeMake(own as Locals)
      }
    })
  }

  /** Copies what an attempt has set to the run's fiber. */
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
