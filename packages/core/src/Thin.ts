/**
 * A few things of Effect's own with less of what makes them general: for what runs at every call, where to make them and to
 * keep them while the call waits would cost more than the call.
 *
 * @since 0.1.0
 */

export { contextWith } from "./internal/fiber/context.ts"
export { interruptible } from "./internal/fiber/interruptible.ts"
export { type FiberLocals, localsOf } from "./internal/fiber/locals.ts"
export { makeScope, type ThinScope } from "./internal/fiber/scope.ts"
export { scopeWith } from "./internal/fiber/scopeWith.ts"
export { wait } from "./internal/fiber/wait.ts"
