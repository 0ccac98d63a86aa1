/**
 * The log of runs: one line for every attempt, run, refusal and breaker transition.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import * as Attempt from "./Attempt.ts"
import { stateNames } from "./internal/breaker/state.ts"

/**
 * The fields of one log line. None comes from a request or an answer, and none contains control characters.
 *
 * @since 0.1.0
 * @category models
 */
export interface Line {
  [field: string]: string | number | boolean | undefined
}

/**
 * Additional fields of an attempt's line, about its error and its usage, which only the makers of the tiers can
 * interpret. Each function writes its fields into the line; an `undefined` field keeps its place.
 *
 * @since 0.1.0
 * @category models
 */
export interface Details {
  /** Fields of the attempt's typed error, `undefined` if there is none. Written before the outcome. */
  readonly error: (fields: Line, error: unknown) => void
  /** Fields of the attempt's usage, as far as it was reported. Written after the error type. */
  readonly usage: (fields: Line, usage: Attempt.Usage | undefined) => void
}

/**
 * The events that have a line: all but the end of a tier, which the lines of its attempts and the run already describe.
 *
 * @since 0.1.0
 * @category models
 */
export type Logged = Exclude<Attempt.Event, Attempt.TierEnded>

/**
 * The level of an event: a failed attempt or a breaker that opens is a warning, a failed run is an error.
 *
 * @example
 * import { Duration } from "effect"
 * import { Log } from "@understudy/core"
 *
 * const refusal = { tier: "primary", labels: {}, retryAfter: Duration.seconds(20) }
 *
 * console.log(Log.level({ _tag: "TierRefused", run: "chat", refusal })) // => INFO
 *
 * @since 0.1.0
 * @category reading
 */
export const level = (event: Logged): "INFO" | "WARN" | "ERROR" => {
  switch (event._tag) {
    case "AttemptEnded":
      return event.attempt.outcome === "failure" || event.attempt.outcome === "timeout" ? "WARN" : "INFO"
    case "RunEnded":
      return event.outcome === "failure" ? "ERROR" : "INFO"
    case "TierRefused":
      return "INFO"
    case "BreakerChanged":
      return event.transition.to === "Open" ? "WARN" : "INFO"
  }
}

/**
 * The message of an event's line.
 *
 * @example
 * import { Log } from "@understudy/core"
 *
 * console.log(Log.message.TierRefused) // => refused
 *
 * @since 0.1.0
 * @category reading
 */
export const message = {
  AttemptEnded: "attempt",
  RunEnded: "run",
  TierRefused: "refused",
  BreakerChanged: "breaker"
} as const satisfies Readonly<Record<Logged["_tag"], string>>

/**
 * Adds the fields of an event to a line, and returns that line.
 *
 * **Details**
 * - First come `route`, `tier` and the tier's labels; then what happened, and `trace_id` and `span_id` if there is a
 *   span.
 * - `details` adds fields about an attempt's error and usage. Default: nothing.
 *
 * @example
 * import { Duration } from "effect"
 * import { Log } from "@understudy/core"
 *
 * const refusal = { tier: "primary", labels: { model: "large" }, retryAfter: Duration.seconds(20) }
 * const line = Log.write({ message: "refused" }, { _tag: "TierRefused", run: "chat", refusal })
 *
 * console.log(Object.values(line).join(" ")) // => refused chat primary large 20000
 *
 * @since 0.1.0
 * @category writing
 */
export const write = <L extends Line>(line: L, event: Logged, details?: Details): L => {
  // Field by field, in the order of the line: adding to a spread object takes V8 many times as long.
  const fields: Line = line
  fields["route"] = clean(event.run)
  switch (event._tag) {
    case "AttemptEnded": {
      const { attempt } = event
      rung(fields, attempt.tier, attempt.labels)
      fields["attempt"] = attempt.number
      details?.error(fields, attempt.cause && Option.getOrUndefined(Cause.failureOption(attempt.cause)))
      fields["outcome"] = attempt.outcome
      fields["error_type"] = attempt.errorType && clean(attempt.errorType)
      details?.usage(fields, attempt.usage)
      fields["waited_ms"] = ms(attempt.waited)
      fields["latency_ms"] = ms(attempt.duration)
      trace(fields, attempt.span)
      break
    }
    case "RunEnded":
      if (event.servedBy !== undefined) rung(fields, event.servedBy, event.labels)
      fields["outcome"] = event.outcome
      fields["error_type"] = event.errorType && clean(event.errorType)
      fields["latency_ms"] = ms(event.duration)
      fields["served_by"] = event.servedBy === undefined ? "none" : clean(event.servedBy)
      fields["attempts"] = event.attempts
      fields["fallback"] = event.fallback
      trace(fields, event.span)
      break
    case "TierRefused":
      rung(fields, event.refusal.tier, event.refusal.labels)
      fields["retry_after_ms"] = ms(event.refusal.retryAfter)
      break
    case "BreakerChanged":
      rung(fields, event.tier, event.labels)
      fields["from"] = stateNames[event.transition.from]
      fields["to"] = stateNames[event.transition.to]
      fields["reason"] = event.transition.reason
  }
  return line
}

/**
 * Logs the runs of a program through Effect's `Logger`, with the loggers, minimum level and annotations of the run's
 * fiber, and the fields as annotations. A listener that is already in place keeps receiving events.
 *
 * `attempts: false` omits the lines of attempts; default: `true`. `details` adds fields to those lines; default:
 * nothing.
 *
 * @example
 * import { Effect, Logger } from "effect"
 * import { Log, Tier } from "@understudy/core"
 *
 * const lines: Array<string> = []
 * const logger = Logger.make(({ annotations, message }) => {
 *   const { outcome } = Object.fromEntries(annotations)
 *   lines.push(`${message} ${outcome}`)
 * })
 * const ask = Tier.make({ name: "primary", effect: Effect.succeed("answer") })
 * const program = ask.pipe(
 *   Effect.provide(Log.layer()),
 *   Effect.provide(Logger.replace(Logger.defaultLogger, logger))
 * )
 *
 * console.log(await Effect.runPromise(program), lines) // => answer [ 'attempt success', 'run success' ]
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options?: {
  readonly attempts?: boolean | undefined
  readonly details?: Details | undefined
}): Layer.Layer<Attempt.Listener> =>
  Layer.effect(
    Attempt.Listener,
    Effect.map(Attempt.Listener, (listening) => (event: Attempt.Event) => {
      if (listening !== undefined) {
        try {
          listening(event)
        } catch {
          // A listener that throws must not keep the event from the log.
        }
      }
      if (event._tag === "TierEnded") return
      if (event._tag === "AttemptEnded" && options?.attempts === false) return
      const logged = Effect.annotateLogs(
        Effect.logWithLevel(levels[level(event)], message[event._tag]),
        given(write({}, event, options?.details))
      )
      // It is called in the fiber of the run.
      const fiber = Option.getOrUndefined(Fiber.getCurrentFiber())
      Runtime.runSync(
        fiber === undefined
          ? Runtime.defaultRuntime
          : Runtime.make({
              context: fiber.currentContext,
              fiberRefs: fiber.getFiberRefs(),
              runtimeFlags: Runtime.defaultRuntimeFlags
            }),
        logged
      )
    })
  )

const levels = { INFO: LogLevel.Info, WARN: LogLevel.Warning, ERROR: LogLevel.Error } as const

const given = (line: Line): Record<string, unknown> =>
  Object.fromEntries(Object.entries(line).filter(([, value]) => value !== undefined))

const rung = (fields: Line, tier: string, labels: Attempt.Labels = {}): void => {
  fields["tier"] = clean(tier)
  for (const name in labels) fields[name] = clean(labels[name] ?? "")
}

const ms = (duration: Duration.Duration): number => Math.round(Duration.toMillis(duration) * 10) / 10

const trace = (fields: Line, span: Attempt.SpanIds | undefined): void => {
  if (span === undefined) return
  fields["trace_id"] = span.traceId
  fields["span_id"] = span.spanId
}

const control = /[\p{Cc}\u2028\u2029]/u

/** Names come from files and programs: none may end a line or contain terminal escapes. */
const clean = (text: string): string =>
  control.test(text) ? text.replace(/[\p{Cc}\u2028\u2029]/gu, "") : text
