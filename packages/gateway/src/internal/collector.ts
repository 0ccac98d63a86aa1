import { setFlagsFromString } from "node:v8"
import { globalValue } from "effect/GlobalValue"

/**
 * Tunes V8's garbage collector for a server of short-lived requests: almost nothing of them should be promoted to the
 * old generation.
 */
export const tune = (): void => {
  // Few objects survive a young collection, so distributing them over helper threads costs more than it saves.
  setFlagsFromString("--no-parallel-scavenge")
  // After a busy start, V8 would allocate long-lived-looking objects in the old generation from then on.
  setFlagsFromString("--no-allocation-site-pretenuring")
  // Effect keeps a `Set` of all root fibers, for `Fiber.roots`. Once a Set is in the old generation, all its former
  // tables, with their contents, stay alive until a full collection.
  const scope = globalValue<{ add?: () => void }>(Symbol.for("effect/FiberScope/Global"), () => ({}))
  scope.add = () => {}
}
