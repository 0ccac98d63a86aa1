/**
 * A few things of Effect's own with less of what makes them general: for what runs at every call, where to make them and to
 * keep them while the call waits would cost more than the call.
 *
 * @since 0.1.0
 */
export { interruptible } from "./internal/run/interruptible.ts"
export { type FiberLocals, localsOf } from "./internal/run/locals.ts"
export { makeScope, type ThinScope } from "./internal/run/scope.ts"
export { scopeWith } from "./internal/run/scopeWith.ts"
export { contextWith } from "./internal/run/services.ts"
export { wait } from "./internal/run/wait.ts"
