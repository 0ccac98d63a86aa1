/** A line of our log, as far as a report has a use for it. */
export type Line =
  | AttemptLine
  | RefusedLine
  | RunLine
  | BreakerLine
  | AlertLine
  | StartLine
  | EndLine
  | { readonly kind: "synthetic" | "else" }

interface OfTier {
  readonly at: number
  readonly route: string
  readonly tier: string
}

interface OfRun extends OfTier {
  readonly request: string
  readonly model: string
}

export interface AttemptLine extends OfRun {
  readonly kind: "attempt"
  readonly outcome: string
  readonly errorType: string
  readonly latency: number
  readonly input: number
  readonly output: number
}

export interface RefusedLine extends OfRun {
  readonly kind: "refused"
}

export interface RunLine extends OfRun {
  readonly kind: "run"
  readonly outcome: string
  readonly servedBy: string
  readonly fallback: boolean
  readonly attempts: number
  readonly latency: number
}

export interface BreakerLine extends OfTier {
  readonly kind: "breaker"
  readonly to: string
  /** The worker; 0 without workers. */
  readonly worker: number
}

export interface AlertLine extends OfTier {
  readonly kind: "alert"
  readonly firing: boolean
}

/** A process begins, and knows nothing of the one before. */
interface StartLine {
  readonly kind: "start"
  readonly at: number
}

/** A worker has ended, with its breakers. */
interface EndLine {
  readonly kind: "end"
  readonly at: number
  readonly worker: number
}

/** Reads one line; `foreign` is JSON that is not ours, `broken` what is no JSON at all. */
export const read = (text: string): Line | "foreign" | "broken" => {
  let line: unknown
  try {
    line = JSON.parse(text)
  } catch {
    return "broken"
  }
  if (typeof line !== "object" || line === null || Array.isArray(line)) return "foreign"
  return known(line as Readonly<Record<string, unknown>>) ?? "foreign"
}

const known = (line: Readonly<Record<string, unknown>>): Line | undefined => {
  const text = (field: string): string => {
    const value = line[field]
    return typeof value === "string" ? value : ""
  }
  const number = (field: string): number => {
    const value = line[field]
    return typeof value === "number" && value >= 0 && Number.isFinite(value) ? value : 0
  }
  const at = Date.parse(text("timestamp"))
  const kind = text("message")
  if (Number.isNaN(at) || line["level"] === undefined) return undefined
  if (kind === "listening") return { kind: "start", at }
  if (kind === "worker" && text("reason") !== "") return { kind: "end", at, worker: number("worker") }
  if (kind === "reload" || kind === "worker" || kind === "defect") return { kind: "else" }
  const route = text("route")
  if (route === "") return undefined
  // A breaker is the same for checks and for users.
  if (line["synthetic"] === true && kind !== "breaker") return { kind: "synthetic" }
  const ofTier = { at, route, tier: text("tier") }
  const ofRun = { ...ofTier, request: text("request_id"), model: text("model") }
  const outcome = text("outcome")
  switch (kind) {
    case "attempt":
      return {
        kind,
        ...ofRun,
        outcome,
        errorType: text("error_type"),
        latency: number("latency_ms"),
        input: number("input_tokens"),
        output: number("output_tokens")
      }
    case "refused":
      return { kind, ...ofRun }
    case "run":
      return {
        kind,
        ...ofRun,
        outcome,
        servedBy: text("served_by"),
        fallback: line["fallback"] === true,
        attempts: number("attempts"),
        latency: number("latency_ms")
      }
    case "breaker":
      return { kind, ...ofTier, to: text("to"), worker: number("worker") }
    case "alert":
      return { kind, ...ofTier, firing: line["firing"] === true }
    default:
      return undefined
  }
}
