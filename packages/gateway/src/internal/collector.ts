import { setFlagsFromString } from "node:v8"
import { globalValue } from "effect/GlobalValue"

/**
 * Has V8's collector do what suits a server, whose requests live for a moment: almost nothing of them should ever be moved
 * to where only a whole collection finds it.
 */
export const tune = (): void => {
  // To share out the few objects that outlive a collection costs other threads more than this one is spared.
  setFlagsFromString("--no-parallel-scavenge")
  // What a busy start makes V8 believe to live long it would from then on put among what is old.
  setFlagsFromString("--no-allocation-site-pretenuring")
  // Effect has a `Set` of all fibers without a parent, for `Fiber.roots`. Of a Set that has grown old V8 keeps every table
  // that it has ever had, with all that was in it, until a whole collection.
  const scope = globalValue<{ add?: () => void }>(Symbol.for("effect/FiberScope/Global"), () => ({}))
  scope.add = () => {}
}
