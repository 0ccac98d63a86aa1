/**
 * The behaviour of callers and upstreams over time, as plain data, in which a policy is simulated.
 *
 * @since 0.1.0
 */
import type * as Arr from "effect/Array"
import type * as Duration from "effect/Duration"
import type * as Either from "effect/Either"
import type * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import * as file from "../internal/testing/scriptFile.ts"
import { scriptText } from "../internal/testing/scriptText.ts"

/**
 * A script: the load, the upstreams' normal behaviour, and the events.
 *
 * @since 0.1.0
 * @category models
 */
export interface Script {
  /** How long requests arrive. Those in flight at the end are completed. */
  readonly for: Duration.Duration
  readonly load: Load
  /** Names for groups of upstreams, such as a region. */
  readonly groups: { readonly [name: string]: ReadonlyArray<string> }
  /** By the name of a tier, or another name of its calls, such as its provider. */
  readonly upstreams: { readonly [name: string]: Upstream }
  readonly events: ReadonlyArray<Event>
}

/**
 * The normal behaviour of an upstream.
 *
 * @since 0.1.0
 * @category models
 */
export interface Upstream {
  /** The time from a call to its answer. */
  readonly latency: Latency
  /** The share of calls that fail, by kind. */
  readonly failures: ReadonlyArray<Failure>
  /** The result of each call in turn, starting over at the end, in place of random ones. */
  readonly calls: Arr.NonEmptyReadonlyArray<Turn> | undefined
  readonly limit: Limit | undefined
  readonly capacity: Capacity | undefined
  /** The cost of an answer, even if nobody waits for it any more. */
  readonly price: number
}

/**
 * A fixed time, a uniform range, or a distribution with known percentiles: two of them define a log-normal one.
 *
 * @since 0.1.0
 * @category models
 */
export type Latency =
  | { readonly _tag: "Constant"; readonly time: Duration.Duration }
  | { readonly _tag: "Uniform"; readonly from: Duration.Duration; readonly to: Duration.Duration }
  | {
      readonly _tag: "Quantiles"
      readonly points: readonly [
        readonly [percent: number, time: Duration.Duration],
        readonly [percent: number, time: Duration.Duration],
        ...Array<readonly [percent: number, time: Duration.Duration]>
      ]
    }

/**
 * A share of calls that fail in one way.
 *
 * @since 0.1.0
 * @category models
 */
export interface Failure {
  /** One of {@link kinds}, or of the schema's additional ones. */
  readonly kind: string
  readonly share: number
  /** The requested wait. */
  readonly retryAfter: Duration.Duration | undefined
  /** The time from the call to the failure. */
  readonly after: Latency
}

/**
 * The result of a call: an answer unless it `fails`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Turn {
  readonly fails: string | undefined
  readonly retryAfter: Duration.Duration | undefined
  /** Default: the upstream's latency, or 50 ms for a failure. */
  readonly after: Latency | undefined
  /** For this many calls in a row. */
  readonly times: number
}

/**
 * A limit of calls per period; the others fail as `rate_limited`, with a `retryAfter` until its end.
 *
 * @since 0.1.0
 * @category models
 */
export interface Limit {
  readonly calls: number
  readonly per: Duration.Duration
}

/**
 * How many concurrent calls an upstream answers at normal speed. Beyond that, new ones become proportionally slower:
 * with twice as many they take twice as long. Above `refuseAbove` they fail as `overloaded`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Capacity {
  readonly calls: number
  readonly refuseAbove: number
}

/**
 * A temporary change: an outage, a brown-out, or, with `every` and `down`, flapping.
 *
 * @since 0.1.0
 * @category models
 */
export interface Event {
  readonly at: Duration.Duration
  /** Default: to the end. */
  readonly for: Duration.Duration | undefined
  /** Upstreams and groups; empty for all. */
  readonly of: ReadonlyArray<string>
  /** The period after which it recurs, each time for `down`. */
  readonly every: Duration.Duration | undefined
  readonly down: Duration.Duration | undefined
  readonly failures: ReadonlyArray<Failure>
  /** Replaces the upstream's own. */
  readonly latency: Latency | undefined
  /** The factor on the latency. */
  readonly slower: number
  /** The remaining share of its capacity and limit. */
  readonly capacity: number
}

/**
 * The behaviour of callers and their clients.
 *
 * @since 0.1.0
 * @category models
 */
export interface Load {
  /** Requests per second. */
  readonly rate: number
  /** `poisson`: at random times; `even`: at regular intervals. */
  readonly arrivals: "poisson" | "even"
  /** Temporary other rates. */
  readonly bursts: ReadonlyArray<Burst>
  /** Callers that give up. */
  readonly leave: { readonly share: number; readonly after: Latency } | undefined
  /**
   * The behaviour of the callers' own client. It retries if the failure allows it: if a tier named a wait, or every
   * breaker is open; and after its own timeout.
   */
  readonly client: { readonly retries: number; readonly timeout: Duration.Duration | undefined } | undefined
}

/**
 * A temporary other rate.
 *
 * @since 0.1.0
 * @category models
 */
export interface Burst {
  readonly at: Duration.Duration
  readonly for: Duration.Duration
  readonly rate: number
}

/**
 * A script in its file form.
 *
 * @since 0.1.0
 * @category models
 */
export interface ScriptFile extends Schema.Schema.Encoded<typeof file.Script> {}

/**
 * A turn of an upstream in its file form.
 *
 * @since 0.1.0
 * @category models
 */
/**
 * An event in its file form.
 *
 * @since 0.1.0
 * @category models
 */
export type { EventFile, TurnFile } from "../internal/testing/scriptFile.ts"

/**
 * A load in its file form.
 *
 * @since 0.1.0
 * @category models
 */
export interface LoadFile extends Schema.Schema.Encoded<typeof file.Load> {}

/**
 * The ways in which a call can fail, besides `hang`, which never ends:
 *
 * | kind | retry | next tier | breaker |
 * |---|---|---|---|
 * | `connection` `server_error` `overloaded` `rate_limited` `invalid_answer` | yes | yes | failure |
 * | `auth` `quota_exhausted` `model_not_found` | no | yes | opens at once |
 * | `context_length` | no | yes | nothing |
 * | `invalid_request` | no | no | nothing |
 *
 * @example
 * import { Script } from "@understudy/core/testing"
 *
 * console.log(Script.kinds.includes("overloaded")) // => true
 *
 * @since 0.1.0
 * @category models
 */
export const kinds: ReadonlyArray<string> = file.kinds

/**
 * The schema of a script with kinds of failures beyond {@link kinds}, such as HTTP statuses.
 *
 * @example
 * import { Schema } from "effect"
 * import { Script } from "@understudy/core/testing"
 *
 * const decode = Schema.decodeUnknownSync(Script.struct([...Script.kinds, "503"]))
 * const script = decode({ events: [{ at: "10m", of: "primary", failures: { 503: 1 } }] })
 *
 * console.log(script.events[0]?.failures[0]?.kind) // => 503
 *
 * @since 0.1.0
 * @category schemas
 */
export const struct = (known: ReadonlyArray<string>): Schema.Schema<Script, ScriptFile> => file.struct(known)

/**
 * The schema of a script.
 *
 * **Details**
 * - Defaults: `for: 10m`; a `load` of 10 requests per second, `poisson`; for an upstream, named or not, a `latency` of
 *   1 s and no failures.
 * - A latency is `800ms`, `300ms..900ms` or `{ p50: 800ms, p95: 3s }`; a failure `{ overloaded: 0.1 }` or
 *   `{ overloaded: { share: 0.1, retryAfter: 2s, after: 50ms } }`; a turn `ok`, a kind, `hang` or
 *   `{ fails: overloaded, retryAfter: 2s, after: 50ms, times: 3 }`.
 *
 * @example
 * import { Duration, Schema } from "effect"
 * import { Script } from "@understudy/core/testing"
 *
 * const script = Schema.decodeSync(Script.Script)({ upstreams: { primary: { failures: { hang: 0.01 } } } })
 *
 * console.log(Duration.toMinutes(script.for), script.load.rate) // => 10 10
 *
 * @since 0.1.0
 * @category schemas
 */
export const Script: Schema.Schema<Script, ScriptFile> = file.Script

/**
 * The schema of a load.
 *
 * @example
 * import { Schema } from "effect"
 * import { Script } from "@understudy/core/testing"
 *
 * console.log(Schema.decodeSync(Script.Load)({ rate: 50 }).arrivals) // => poisson
 *
 * @since 0.1.0
 * @category schemas
 */
export const Load: Schema.Schema<Load, LoadFile> = file.Load

/**
 * Decodes a script written in code.
 *
 * @example
 * import { Either } from "effect"
 * import { Script } from "@understudy/core/testing"
 *
 * console.log(Either.isLeft(Script.decode({ events: [{ at: "1m", down: "2s" }] }))) // => true
 *
 * @since 0.1.0
 * @category decoding
 */
export const decode: (script: ScriptFile) => Either.Either<Script, ParseResult.ParseError> =
  Schema.decodeUnknownEither(Script)

/**
 * A script as the text of a file, in YAML.
 *
 * @example
 * import { Script } from "@understudy/core/testing"
 *
 * const events = [{ at: "1m", for: "30s", of: "primary", failures: { hang: 1 } }]
 *
 * console.log(Script.render({ events }).split("\n")[1]) // =>   - { at: 1m, for: 30s, of: primary, failures: { hang: 1 } }
 *
 * @since 0.1.0
 * @category rendering
 */
export const render = (script: ScriptFile): string => scriptText(script)
