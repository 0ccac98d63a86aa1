import { Cause, Context, Duration, Effect, Exit, FastCheck, FiberRef, type Scope } from "effect"
import { shapeOfExit } from "./shape.ts"

/** What an effect may do that a policy around it must not change. */
export type Step =
  | { readonly _tag: "Set"; readonly value: number }
  | { readonly _tag: "SetLocally"; readonly value: number }
  | { readonly _tag: "Ask" }
  | { readonly _tag: "Acquire"; readonly release: number }
  | { readonly _tag: "Sleep"; readonly millis: number; readonly stubborn: boolean }
  | { readonly _tag: "Recover" }
  | { readonly _tag: "Interruptible" }

export interface Program {
  readonly steps: ReadonlyArray<Step>
  readonly end: keyof typeof ends
}

export class Greeting extends Context.Tag("Greeting")<Greeting, string>() {}

const ref = FiberRef.unsafeMake(0)

const ends = {
  value: Effect.succeed("value"),
  error: Effect.fail("error"),
  defect: Effect.die("defect"),
  interrupt: Effect.interrupt,
  errorThenDefect: Effect.ensuring(Effect.fail("error"), Effect.die("defect")),
  errorBesideDefect: Effect.failCause(Cause.parallel(Cause.fail("error"), Cause.die("defect"))),
  defectBesideInterrupt: Effect.zipRight(Effect.die("defect"), Effect.interrupt, { concurrent: true })
} as const

const { array, boolean, constant, constantFrom, integer, nat, oneof, record } = FastCheck

export const programs: FastCheck.Arbitrary<Program> = record({
  steps: array(
    oneof(
      record({ _tag: constant("Set" as const), value: integer() }),
      record({ _tag: constant("SetLocally" as const), value: integer() }),
      record({ _tag: constant("Ask" as const) }),
      record({ _tag: constant("Acquire" as const), release: nat(300) }),
      record({ _tag: constant("Sleep" as const), millis: nat(2_000), stubborn: boolean() }),
      record({ _tag: constant("Recover" as const) }),
      record({ _tag: constant("Interruptible" as const) })
    ),
    { maxLength: 6 }
  ),
  end: constantFrom(...(Object.keys(ends) as ReadonlyArray<keyof typeof ends>))
})

/** The program as an effect that notes what it sees. */
export const effectOf = (
  { end, steps }: Program,
  note: (what: string) => void
): Effect.Effect<string, string, Greeting | Scope.Scope> => {
  const noted = (what: string) => Effect.sync(() => note(what))
  const perform = (step: Step): Effect.Effect<void, string, Greeting | Scope.Scope> => {
    switch (step._tag) {
      case "Set":
        return FiberRef.set(ref, step.value)
      case "SetLocally":
        return Effect.locally(
          Effect.flatMap(FiberRef.get(ref), (value) => noted(`locally ${value}`)),
          ref,
          step.value
        )
      case "Ask":
        return Effect.flatMap(Greeting, noted)
      case "Acquire":
        return Effect.acquireRelease(noted("open"), (_, exit) =>
          Effect.sleep(Duration.millis(step.release)).pipe(
            Effect.zipRight(noted(`close ${Exit.isSuccess(exit) ? "well" : shapeOfExit(exit)}`))
          )
        )
      case "Sleep": {
        const sleep = Effect.sleep(Duration.millis(step.millis))
        return step.stubborn ? Effect.uninterruptible(sleep) : sleep
      }
      case "Recover":
        return Effect.catchAll(Effect.fail("inner"), noted)
      case "Interruptible":
        return Effect.checkInterruptible((is) => noted(`interruptible ${is}`))
    }
  }
  return Effect.zipRight(Effect.forEach(steps, perform, { discard: true }), ends[end])
}

/** The effect's exit, and what is in its fiber afterwards. */
export const reported = <E>(
  effect: Effect.Effect<string, E, Greeting>,
  note: (what: string) => void
): Effect.Effect<void> =>
  effect.pipe(
    Effect.onExit((exit) =>
      Effect.map(FiberRef.get(ref), (value) =>
        note(Exit.isSuccess(exit) ? `${exit.value}, left ${value}` : shapeOfExit(exit))
      )
    ),
    Effect.provideService(Greeting, "hello"),
    Effect.exit,
    Effect.asVoid
  )
