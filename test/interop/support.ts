import { describe } from "@effect/vitest"
import { Effect, type Scope } from "effect"

interface Installed {
  readonly ok: boolean
  readonly why?: string
}

const counterparts: Record<string, Installed> = JSON.parse(process.env["UNDERSTUDY_COUNTERPARTS"] ?? "{}")

/** Tests that need this counterpart. Where it could not be installed the runner says so, and why. */
export const withCounterpart = (
  name: "jaeger" | "prometheus" | "dashboard" | "python" | "llama" | "chromium" | "promtool",
  tests: () => void
): void => {
  if (counterparts[name]?.ok === false) return
  describe(name, tests)
}

/** A server that stops with the scope. */
export const running = <A extends { readonly stop: () => Promise<void> }>(
  start: () => Promise<A>
): Effect.Effect<A, never, Scope.Scope> =>
  Effect.acquireRelease(Effect.promise(start), ({ stop }) => Effect.promise(stop))
