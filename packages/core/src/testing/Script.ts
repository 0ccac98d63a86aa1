/**
 * What callers and upstreams do for a stretch of time, as plain data: the weather that a policy is simulated in.
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
 * What happens: the load, the upstreams as they usually are, and what befalls them.
 *
 * @since 0.1.0
 * @category models
 */
export interface Script {
  /** How long requests come. Those that are under way then are seen to their end. */
  readonly for: Duration.Duration
  readonly load: Load
  /** Names for several upstreams that have something in common, such as a region. */
  readonly groups: { readonly [name: string]: ReadonlyArray<string> }
  /** By the name of a tier, or another that its calls go by, such as its provider. */
  readonly upstreams: { readonly [name: string]: Upstream }
  readonly events: ReadonlyArray<Event>
}

/**
 * What an upstream does when all is well.
 *
 * @since 0.1.0
 * @category models
 */
export interface Upstream {
  /** From a call to its answer. */
  readonly latency: Latency
  /** Of each kind the share of calls that fail so. */
  readonly failures: ReadonlyArray<Failure>
  /** What the calls meet with, one after the other as they come and from the beginning again, in place of chance. */
  readonly calls: Arr.NonEmptyReadonlyArray<Turn> | undefined
  readonly limit: Limit | undefined
  readonly capacity: Capacity | undefined
  /** What an answer costs, also one that nobody waits for any more. */
  readonly price: number
}

/**
 * A time, one drawn evenly from a range, or one drawn from a distribution of which some percentiles are known:
 * through two of them, the log-normal one.
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
  /** One of {@link kinds}, or of what else the schema was told of. */
  readonly kind: string
  readonly share: number
  /** The wait that it asks for. */
  readonly retryAfter: Duration.Duration | undefined
  /** From the call to the failure. */
  readonly after: Latency
}

/**
 * What a call meets with: an answer unless it `fails`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Turn {
  readonly fails: string | undefined
  readonly retryAfter: Duration.Duration | undefined
  /** Default: the upstream's latency, of a failure 50 ms. */
  readonly after: Latency | undefined
  /** So many calls in a row. */
  readonly times: number
}

/**
 * So many calls in each stretch of time; the others are told `rate_limited`, and to come back when it is over.
 *
 * @since 0.1.0
 * @category models
 */
export interface Limit {
  readonly calls: number
  readonly per: Duration.Duration
}

/**
 * How many calls at once an upstream answers as fast as ever. More make every new one slower in proportion: with
 * twice as many it takes twice as long. Above `refuseAbove` they are told `overloaded`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Capacity {
  readonly calls: number
  readonly refuseAbove: number
}

/**
 * A change for a while: an outage, a brown-out, or, with `every` and `down`, flapping.
 *
 * @since 0.1.0
 * @category models
 */
export interface Event {
  readonly at: Duration.Duration
  /** To the end where undefined. */
  readonly for: Duration.Duration | undefined
  /** Upstreams and groups; all of them where empty. */
  readonly of: ReadonlyArray<string>
  /** It comes again so often, each time for as long as `down`. */
  readonly every: Duration.Duration | undefined
  readonly down: Duration.Duration | undefined
  readonly failures: ReadonlyArray<Failure>
  /** In place of the upstream's own. */
  readonly latency: Latency | undefined
  /** So many times the latency. */
  readonly slower: number
  /** The share of its capacity, and of its limit, that is left. */
  readonly capacity: number
}

/**
 * What callers do, and their clients.
 *
 * @since 0.1.0
 * @category models
 */
export interface Load {
  /** Requests a second. */
  readonly rate: number
  /** `poisson`: each comes when it comes; `even`: like a clock. */
  readonly arrivals: "poisson" | "even"
  /** Other rates for a while. */
  readonly bursts: ReadonlyArray<Burst>
  /** Callers that do not wait for ever. */
  readonly leave: { readonly share: number; readonly after: Latency } | undefined
  /**
   * What the callers' own client adds. It tries again what the failure allows: where a tier named a time, or every
   * breaker is open; and after its own timeout.
   */
  readonly client: { readonly retries: number; readonly timeout: Duration.Duration | undefined } | undefined
}

/**
 * Another rate for a while.
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
 * A script as files write it.
 *
 * @since 0.1.0
 * @category models
 */
export interface ScriptFile extends Schema.Schema.Encoded<typeof file.Script> {}

/**
 * A turn of an upstream as files write it.
 *
 * @since 0.1.0
 * @category models
 */
/**
 * An event as files write it.
 *
 * @since 0.1.0
 * @category models
 */
export type { EventFile, TurnFile } from "../internal/testing/scriptFile.ts"

/**
 * A load as files write it.
 *
 * @since 0.1.0
 * @category models
 */
export interface LoadFile extends Schema.Schema.Encoded<typeof file.Load> {}

/**
 * How a call can fail, beside `hang`, which never ends:
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
 * The schema of a script that knows other kinds of failures than {@link kinds}: an HTTP gateway's statuses, say.
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
 * - Defaults: `for: 10m`; a `load` of 10 requests a second, `poisson`; of an upstream, and of one that is not named,
 *   a `latency` of 1 s and nothing that fails.
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
