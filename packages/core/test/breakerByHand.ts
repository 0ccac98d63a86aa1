import { assert } from "@effect/vitest"
import { CircuitBreaker, Outcome } from "../src/index.ts"

export const failed = Outcome.failure()

/** A machine by hand. */
export class Machine {
  state: CircuitBreaker.State = CircuitBreaker.initial
  readonly reasons: Array<CircuitBreaker.Reason> = []
  readonly config: CircuitBreaker.Config
  private last = 0

  constructor(options: CircuitBreaker.Options) {
    this.config = CircuitBreaker.config({ jitter: 0, openFor: "10 seconds", ...options })
  }

  step(event: CircuitBreaker.Event): CircuitBreaker.Decision {
    const [decision, state] = CircuitBreaker.step(this.config, this.state, event)
    this.state = state
    this.reasons.push(...decision.changes.map(({ reason }) => reason))
    return decision
  }

  admit(now: number): CircuitBreaker.Permit {
    const { permit } = this.step({ _tag: "Admit", now })
    assert(permit !== undefined)
    this.last = permit.id
    return permit
  }

  report(permit: CircuitBreaker.Permit, now: number, outcome: Outcome.Outcome, random = 0): void {
    this.step({ _tag: "Report", now, permit, outcome, random })
  }

  /** Of the last call, if not told of which. */
  retract(now: number, { epoch = this.state.epoch, id = this.last } = {}, outcome = failed): void {
    this.step({ _tag: "Retract", now, epoch, id, outcome, random: 0 })
  }

  /** One call after the other, all at one instant; `r` takes back the success of one. */
  calls(now: number, outcomes: string): this {
    for (const letter of outcomes) {
      const outcome = { f: failed, s: Outcome.success, i: Outcome.ignored() }[letter]
      if (outcome === undefined) this.retract(now)
      else this.report(this.admit(now), now, outcome)
    }
    return this
  }
}
