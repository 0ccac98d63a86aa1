import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as RuntimeFlags from "effect/RuntimeFlags"
import type * as Scope from "effect/Scope"
import { attemptsIn } from "./attempt.ts"
import { type Answer, type Committed, committed, type Restore } from "./committed.ts"
import type { Climb } from "./current.ts"
import type { AllTiersFailed, Ladder } from "./ladder.ts"
import { Run } from "./machine.ts"
import { type Listening, RunObserver } from "./observer.ts"

/**
 * One run: asks the tiers in order until one answers, and passes that one to `onCommit`.
 *
 * Every losing attempt's scope is closed before anything else starts. The serving one's is closed with the attempt
 * which, if the run `streams`, lasts until its stream has ended or `finish` ends it. The run itself is uninterruptible,
 * only its attempts and waits are interruptible: so every admitted call is reported to its breaker exactly once.
 */
export const run = <X, E, R, A, R2>(
  ladder: Ladder<X, E, R>,
  streams: boolean,
  listener: Listening,
  onCommit: (committed: Committed<X, E>) => Effect.Effect<A, never, R2>
): Running<A, E, R, R2> => new Start(ladder, streams, listener, committed<X, E>, onCommit)

/** A run whose result is just its answer. */
export const answer = <X, E, R>(ladder: Ladder<X, E, R>): Running<X, E, R> =>
  new Start(ladder, false, undefined, itself<X>, itself<X>).commit()

type Running<A, E, R, R2 = never> = Effect.Effect<A, E | AllTiersFailed<E>, Exclude<R, Scope.Scope> | R2>

const itself = <X>(value: X): Exit.Exit<X> => Exit.succeed(value)

/** Held for as long as the run lasts, and therefore as small as possible. */
class Start<X, E, R, B, A, R2> extends Effectable.Class<
  A,
  E | AllTiersFailed<E>,
  Exclude<R, Scope.Scope> | R2
> {
  private readonly ladder: Ladder<X, E, R>
  private readonly streams: boolean
  private readonly listener: Listening
  private readonly answer: Answer<X, E, B>
  private readonly onAnswer: (answer: B) => Effect.Effect<A, never, R2>

  constructor(
    ladder: Ladder<X, E, R>,
    streams: boolean,
    listener: Listening,
    answer: Answer<X, E, B>,
    onAnswer: (answer: B) => Effect.Effect<A, never, R2>
  ) {
    super()
    this.ladder = ladder
    this.streams = streams
    this.listener = listener
    this.answer = answer
    this.onAnswer = onAnswer
  }

  override commit(): Running<A, E, R, R2> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.withFiberRuntime((fiber, { runtimeFlags }) => this.begin(restore, fiber, runtimeFlags))
    )
  }

  private begin(
    restore: Restore,
    fiber: Fiber.RuntimeFiber<unknown, unknown>,
    runtimeFlags: RuntimeFlags.RuntimeFlags
  ): Running<A, E, R, R2> {
    const { answer, ladder, listener, onAnswer, streams } = this
    const observer = new RunObserver<E>(fiber, ladder, listener)
    const { startedAt } = observer
    const around = attemptsIn<R>(fiber, runtimeFlags, observer.clock)
    const run = new Run(ladder, streams, answer, restore, observer, around, startedAt)
    const climb = run.climb(startedAt)
    if (!observer.isWatched) {
      return onAnswer === itself ? (climb as Climb<never, E, R>) : Effect.flatMap(climb, onAnswer)
    }
    return Effect.matchCauseEffect(climb, {
      onSuccess: (answer) => {
        if (!streams) observer.close(Exit.void)
        return onAnswer(answer)
      },
      onFailure: (cause) => {
        const exit = Exit.failCause(cause)
        observer.close(exit)
        return exit
      }
    })
  }
}
