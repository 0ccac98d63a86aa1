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
 * The locals of a fiber before it sets any: those of another, unless they are its own, looked up where they are. A
 * fiber copies them all to set one, and the copy has lost the mark, which is no entry. To ask for the mark costs
 * nothing, where to look at the locals makes a copy of them.
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

  /** To look through more than two of them would cost more than the copy. */
  get isDeep(): boolean {
    return this.locals instanceof Untouched
  }

  has(ref: Key): boolean {
    return this.get(ref) !== undefined
  }

  get(ref: Key): Stack | undefined {
    switch (ref) {
      case FiberRef.currentContext:
        // A fiber asks for it once and remembers it.
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
 * Lets forked fibers wait for their turn in the queue of the one that forked them. Effect's own scheduler keeps a queue for
 * every fiber that ever waits, in a table whose upkeep costs the collector more than the fiber.
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
 * The locals of a fiber, for those that it forks.
 *
 * @since 0.1.0
 * @category models
 */
export interface FiberLocals {
  /** Forks a fiber that sees them, and has a context of its own. It is nobody's child. */
  readonly fork: <A, E, R>(
    effect: Effect.Effect<A, E, R>,
    context: Context.Context<R>,
    runtimeFlags: RuntimeFlags.RuntimeFlags
  ) => RuntimeFiber<A, E>
}

/**
 * The locals of a fiber as they are now, for others that see them without a copy. With a `scheduler` the others have
 * that one; default: what the fiber has.
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

/** Those of the fiber that a run is in, for its attempts. */
export class RunLocals implements FiberLocals {
  private readonly locals: Locals
  private readonly scheduler: Stack | undefined

  constructor(fiber: RuntimeFiber<unknown, unknown>, scheduler = schedulerOf(fiber)) {
    // Where Effect lets us, without the copy of them all that `getFiberRefs` makes.
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
        // Effect only reads locals: it copies them to change them.
        return FiberRefs.unsafeMake(own as Locals)
      }
    })
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
