/**
 * The log, with one line for every attempt, run, refusal by a breaker, breaker transition, alert that starts or stops
 * firing, start of listening, reload, restart of a worker, and defect.
 *
 * @since 0.1.0
 */
import type * as Health from "@understudy/core/Health"
import * as Core from "@understudy/core/Log"
import { logDetails } from "@understudy/http/Provider"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type { ConfigError } from "./Config.ts"
import { many } from "./internal/drawing/figures.ts"
import { percent } from "./internal/drawing/percent.ts"
import { framesOf } from "./internal/frames.ts"

/**
 * The format of lines: for machines or for people.
 *
 * @since 0.1.0
 * @category models
 */
export type Format = "json" | "pretty"

/**
 * One log line. It never contains a prompt, an answer or a key.
 *
 * @since 0.1.0
 * @category models
 */
export interface Entry {
  readonly timestamp: string
  readonly level: "INFO" | "WARN" | "ERROR"
  readonly message:
    | "attempt"
    | "run"
    | "refused"
    | "breaker"
    | "alert"
    | "listening"
    | "reload"
    | "worker"
    | "defect"
  readonly [field: string]: string | number | boolean | undefined
}

/**
 * The log line of an event of a run.
 *
 * @example
 * import { Duration } from "effect"
 * import { Log } from "@understudy/gateway"
 *
 * const refusal = { tier: "primary", labels: { model: "large" }, retryAfter: Duration.seconds(20) }
 * const entry = Log.entry("req_1", { _tag: "TierRefused", run: "chat", refusal }, new Date(0))
 *
 * console.log(entry.message, entry["retry_after_ms"]) // => refused 20000
 *
 * @since 0.1.0
 * @category constructors
 */
export const entry = (requestId: string | undefined, event: Core.Logged, at: Date): Entry => {
  const line: Writable = {
    timestamp: iso(at),
    level: Core.level(event),
    message: Core.message[event._tag],
    request_id: requestId
  }
  Core.write(line, event, logDetails)
  // Providers fail with no other error.
  if (event._tag === "AttemptEnded" && event.attempt.cause === undefined) line["status"] = 200
  return line
}

/** A cached `toISOString`, which would cost half as much as a line's JSON: only the milliseconds change within a second. */
const iso = (at: Date): string => {
  const millis = at.getTime()
  const second = Math.floor(millis / 1000)
  if (second !== last.second) last = { second, text: at.toISOString().slice(0, -4) }
  return `${last.text}${String(millis - second * 1000).padStart(3, "0")}Z`
}

let last = { second: Number.NaN, text: "" }

type Writable = { -readonly [Field in keyof Entry]: Entry[Field] }

/**
 * The log line of an alert that starts or stops firing.
 *
 * @example
 * import { Health } from "@understudy/core"
 * import { Log } from "@understudy/gateway"
 *
 * const alert = Health.alert({ run: "chat", tier: "primary" })
 * const entry = Log.alert({ alert, firing: true, due: 40, served: 10, successRate: 0.25 }, new Date(0))
 *
 * console.log(entry.level, entry.message, entry["success_rate"]) // => ERROR alert 0.25
 *
 * @since 0.1.0
 * @category constructors
 */
export const alert = ({ alert, due, firing, successRate }: Health.AlertStatus, at: Date): Entry => ({
  timestamp: at.toISOString(),
  level: firing ? "ERROR" : "INFO",
  message: "alert",
  route: alert.run,
  tier: alert.tier,
  firing,
  success_rate: successRate,
  success_below: alert.successBelow,
  due,
  over_ms: Duration.toMillis(alert.over)
})

/**
 * What the log says of a gateway that has begun to listen: where, and what it serves, a file or the embedded policy.
 *
 * @example
 * import { Log } from "@understudy/gateway"
 *
 * const { message, url } = Log.listening("http://127.0.0.1:8787", "understudy.yaml", new Date(0))
 *
 * console.log(message, url) // => listening http://127.0.0.1:8787
 *
 * @since 0.1.0
 * @category constructors
 */
export const listening = (url: string, serves: string, at: Date): Entry => ({
  timestamp: at.toISOString(),
  level: "INFO",
  message: "listening",
  url,
  serves
})

/**
 * The log line of a reload: the changed keys that require a restart, or why the file was refused.
 *
 * @example
 * import { Either } from "effect"
 * import { Log } from "@understudy/gateway"
 *
 * console.log(Log.reload(Either.right(["server.port"]), new Date(0))["needs_restart"]) // => server.port
 *
 * @since 0.1.0
 * @category constructors
 */
export const reload = (read: Either.Either<ReadonlyArray<string>, ConfigError>, at: Date): Entry => {
  const common = { timestamp: at.toISOString(), message: "reload" } as const
  if (Either.isLeft(read)) {
    return { ...common, level: "ERROR", outcome: "failure", reason: read.left.message }
  }
  return read.right.length === 0
    ? { ...common, level: "INFO", outcome: "success" }
    : { ...common, level: "WARN", outcome: "success", needs_restart: read.right.join(" ") }
}

/**
 * The log line of a worker: what is wrong with it and, if it has ended, when another one starts; without that, another
 * one has taken its place.
 *
 * @example
 * import { Log } from "@understudy/gateway"
 *
 * const ended = { how: "SIGKILL", restartMillis: 100 }
 *
 * console.log(Log.worker(2, ended, new Date(0))["reason"]) // => SIGKILL
 *
 * @since 0.1.0
 * @category constructors
 */
export const worker = (
  worker: number,
  wrong: { readonly how: string; readonly restartMillis?: number } | undefined,
  at: Date
): Entry => {
  const common = { timestamp: at.toISOString(), message: "worker", worker } as const
  return wrong === undefined
    ? { ...common, level: "INFO", outcome: "success" }
    : {
        ...common,
        level: wrong.restartMillis === undefined ? "WARN" : "ERROR",
        outcome: "failure",
        reason: wrong.how,
        restart_in_ms: wrong.restartMillis
      }
}

/**
 * The log line of a defect in a request or a synthetic check: its kind and stack trace, without its message.
 *
 * @example
 * import { Cause } from "effect"
 * import { Log } from "@understudy/gateway"
 *
 * const entry = Log.defect("req_1", Cause.die(new TypeError("what a caller has said")), new Date(0))
 *
 * console.log(entry.level, entry.message, entry["error_type"]) // => ERROR defect TypeError
 *
 * @since 0.1.0
 * @category constructors
 */
export const defect = (requestId: string | undefined, cause: Cause.Cause<unknown>, at: Date): Entry => {
  const thrown = Option.getOrUndefined(Cause.dieOption(cause))
  const isError = thrown instanceof Error
  return {
    timestamp: at.toISOString(),
    level: "ERROR",
    message: "defect",
    request_id: requestId,
    error_type: isError ? (/^\w+$/.exec(thrown.name)?.[0] ?? "Error") : typeof thrown,
    stack: isError ? framesOf(thrown) : undefined
  }
}

/**
 * One line.
 *
 * @example
 * import { Duration } from "effect"
 * import { Log } from "@understudy/gateway"
 *
 * const refusal = { tier: "primary", labels: { model: "large" }, retryAfter: Duration.seconds(20) }
 * const entry = Log.entry("req_1", { _tag: "TierRefused", run: "chat", refusal }, new Date(0))
 *
 * console.log(Log.render(entry, "pretty")) // => 00:00:00.000 - refused chat/primary is resting, probe in 20000 ms
 *
 * @since 0.1.0
 * @category rendering
 */
export const render = (entry: Entry, format: Format): string =>
  format === "json" ? JSON.stringify(entry) : pretty(entry)

const pretty = (entry: Entry): string => {
  const { attempt, error_type, from, latency_ms, message, model, outcome, retry_after_ms, route, served_by } =
    entry
  const time = entry.timestamp.slice(11, 23)
  const rung = `${route}/${entry["tier"] ?? "-"}`
  switch (message) {
    case "attempt": {
      const waited = Number(entry["waited_ms"]) > 0 ? ` after a wait of ${entry["waited_ms"]} ms` : ""
      const why = error_type === undefined ? [] : [entry["status"], error_type, entry["error_code"]]
      const how = [outcome, ...why].filter((part) => part !== undefined).join(" ")
      return `${time} ${mark(outcome)} attempt ${rung} #${attempt} (${model}) ${how} in ${latency_ms} ms${waited}`
    }
    case "run": {
      const by =
        served_by === "none"
          ? "by no tier"
          : `by ${served_by}${entry["fallback"] === true ? ", a fallback" : ""}`
      return `${time} ${mark(outcome)} run     ${route} ${outcome} ${by}, ${many(Number(entry["attempts"]), "attempt")} in ${latency_ms} ms`
    }
    case "refused":
      return `${time} - refused ${rung} is resting, probe in ${retry_after_ms} ms`
    case "breaker":
      return `${time} ! breaker ${rung} ${from} -> ${entry["to"]}`
    case "listening":
      return `${time} + listens on ${entry["url"]}, serving ${entry["serves"]}`
    case "reload": {
      const { needs_restart, reason } = entry
      const rest = needs_restart === undefined ? "" : `, but for ${needs_restart}, which need a restart`
      return reason === undefined
        ? `${time} + reload  the new file is served${rest}`
        : `${time} x reload  the old file is served on: ${reason}`
    }
    case "worker": {
      const { reason, restart_in_ms, worker } = entry
      if (reason === undefined) return `${time} + worker  ${worker} serves again`
      return restart_in_ms === undefined
        ? `${time} x worker  ${worker} ${reason}`
        : `${time} x worker  ${worker} ended by ${reason}, another one starts in ${restart_in_ms} ms`
    }
    case "defect": {
      const [at] = String(entry["stack"] ?? "at an unknown place").split("\n")
      return `${time} x defect  ${error_type} ${at} (${entry["request_id"] ?? "no request"})`
    }
    case "alert": {
      const rate = entry["success_rate"]
      const served =
        rate === undefined ? "nobody calls" : `served ${percent(Number(rate))} of ${entry["due"]} runs`
      return `${time} ! alert   ${rung} ${entry["firing"] === true ? "fires" : "is over"}: ${served}`
    }
  }
}

const mark = (outcome: Entry[string]): string =>
  outcome === "success" ? "+" : outcome === "failure" || outcome === "timeout" ? "x" : "o"
