import { Cause, Exit } from "effect"
import { Deadline } from "../../src/index.ts"

const named = (error: unknown): string => {
  if (error instanceof Deadline.DeadlineExceeded) return error.bound
  return typeof error === "object" && error !== null && "call" in error ? String(error.call) : String(error)
}

const joined = (left: string, by: string, right: string): string =>
  left === "" || left === right ? right : right === "" ? left : `(${left}${by}${right})`

/** A cause without the fibers that had a part in it, and without saying twice that there was one. */
export const shapeOf = (cause: Cause.Cause<unknown>): string =>
  Cause.match(cause, {
    onEmpty: "",
    onFail: (error) => `fail(${named(error)})`,
    onDie: (defect) => `die(${named(defect)})`,
    onInterrupt: () => "interrupt",
    onSequential: (left, right) => joined(left, "; ", right),
    onParallel: (left, right) => joined(left, " | ", right)
  })

export const shapeOfExit = (exit: Exit.Exit<unknown, unknown>): string =>
  Exit.match(exit, { onSuccess: String, onFailure: shapeOf })
