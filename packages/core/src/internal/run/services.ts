import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import * as Deadline from "../../Deadline.ts"
import { copyOf, Overlay } from "../fiber/overlay.ts"
import { type Attempting, Underway } from "./underway.ts"

type Services = ReadonlyMap<string, unknown>

/** The services of an attempt: those of the run, and its own scope, span and deadline. */
export class AttemptServices extends Overlay<string, unknown> {
  private readonly around: Services
  private readonly attempt: Attempting
  private readonly scope: Scope.Scope
  private readonly span: Tracer.Span | undefined

  constructor(around: Services, attempt: Attempting, scope: Scope.Scope, span: Tracer.Span | undefined) {
    super()
    // Flattened, since in deeply nested runs a lookup would pass through every level.
    this.around = around instanceof AttemptServices ? around.all : around
    this.attempt = attempt
    this.scope = scope
    this.span = span
  }

  has(key: string): boolean {
    return this.own(key) !== undefined || this.around.has(key)
  }

  get(key: string): unknown {
    return this.own(key) ?? this.around.get(key)
  }

  private own(key: string): unknown {
    switch (key) {
      case Scope.Scope.key:
        return this.scope
      case Underway.key:
        return this.attempt
      case Tracer.ParentSpan.key:
        return this.span
      case Deadline.Current.key:
        // After its commit point a stream has no deadline, even if its surroundings do.
        return this.attempt.hasBegun ? Number.POSITIVE_INFINITY : this.attempt.deadline
      default:
        return undefined
    }
  }

  protected copied(): Map<string, unknown> {
    const copy = copyOf(this.around)
    for (const key of ownKeys) {
      const service = this.own(key)
      if (service !== undefined) copy.set(key, service)
    }
    return copy
  }
}

const ownKeys = [Scope.Scope.key, Underway.key, Tracer.ParentSpan.key, Deadline.Current.key]
