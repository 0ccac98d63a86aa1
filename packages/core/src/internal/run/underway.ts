import * as Context from "effect/Context"
import type * as Tracer from "effect/Tracer"
import type { Usage } from "../../Attempt.ts"
import type { Pace } from "./pace.ts"

/** What whatever an attempt runs may say of it. */
export interface Telling {
  readonly tierSpan: Tracer.Span | undefined
  usage: Usage | undefined
  pace: Pace | undefined
}

/** The attempt that a fiber works for. */
export class Underway extends Context.Reference<Underway>()("@understudy/core/Attempt/Underway", {
  defaultValue: (): Telling | undefined => undefined
}) {}
