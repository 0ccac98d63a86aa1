/**
 * Leaner, less general versions of a few Effect primitives, for code that runs on every call. There, creating the
 * general ones and holding them while the call waits would cost more than the call.
 *
 * @since 0.1.0
 */

export { contextWith } from "./internal/fiber/context.ts"
export { interruptible } from "./internal/fiber/interruptible.ts"
export { type FiberLocals, localsOf } from "./internal/fiber/locals.ts"
export { makeScope, type ThinScope } from "./internal/fiber/scope.ts"
export { scopeWith } from "./internal/fiber/scopeWith.ts"
export { wait } from "./internal/fiber/wait.ts"
