/**
 * Laws that a policy should always keep, to check in your own tests. A broken law reports the smallest outage found, as
 * a script that `understudy simulate` replays.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import { formatDuration } from "../internal/policy/durationText.ts"
import { Simulator } from "../internal/testing/simulator.ts"
import * as Arbitraries from "./Arbitraries.ts"
import * as Script from "./Script.ts"
import * as Simulation from "./Simulation.ts"

/**
 * A property that holds under all of these scripts.
 *
 * @since 0.1.0
 * @category models
 */
export interface Law {
  readonly name: string
  readonly scripts: (tiers: ReadonlyArray<string>) => FastCheck.Arbitrary<Script.ScriptFile>
  /** What is wrong with a request's result; `undefined` if nothing is. */
  readonly broken: (request: Simulation.Request, script: Script.Script) => string | undefined
}

/**
 * No request takes longer, whatever its upstreams do.
 *
 * @example
 * import { Either } from "effect"
 * import { Policy } from "@understudy/core"
 * import { Laws, Simulation } from "@understudy/core/testing"
 *
 * const policy = Either.getOrThrow(
 *   Policy.decode({ deadline: "30s", tiers: [{ name: "primary", timeout: "20s" }, { name: "standby" }] })
 * )
 *
 * Laws.assert(Simulation.policy(policy), Laws.neverLongerThan("30 seconds"))
 *
 * @since 0.1.0
 * @category laws
 */
export const neverLongerThan = (duration: Duration.DurationInput): Law => ({
  name: `never longer than ${text(duration)}`,
  scripts: Arbitraries.calls,
  broken: ({ at, endedAt, ending }) => {
    if (ending === "unanswered") return "a request never ended"
    // The clock counts nanoseconds.
    return endedAt - at > Duration.toMillis(duration) + 1e-3
      ? `a request took ${text(Duration.millis(Math.ceil(endedAt - at)))}`
      : undefined
  }
})

/**
 * No request causes more upstream calls.
 *
 * @example
 * import { Either } from "effect"
 * import { Policy } from "@understudy/core"
 * import { Laws, Simulation } from "@understudy/core/testing"
 *
 * const retry = { times: 1 }
 * const policy = Either.getOrThrow(
 *   Policy.decode({ tiers: [{ name: "primary", retry }, { name: "standby", retry }] })
 * )
 *
 * Laws.assert(Simulation.policy(policy), Laws.neverMoreCallsThan(4))
 *
 * @since 0.1.0
 * @category laws
 */
export const neverMoreCallsThan = (calls: number): Law => ({
  name: `never more than ${calls} calls`,
  scripts: Arbitraries.calls,
  broken: ({ attempts }) => (attempts > calls ? `a request became ${attempts} calls` : undefined)
})

/**
 * A tier answers every request while others are dead in any way; by default those above it. The other tiers answer in a
 * tenth of a second.
 *
 * @example
 * import { Either } from "effect"
 * import { Policy } from "@understudy/core"
 * import { Laws, Simulation } from "@understudy/core/testing"
 *
 * const tiers = [{ name: "primary", timeout: "8s" }, { name: "standby", timeout: "8s" }, { name: "baseline" }] as const
 * const policy = Either.getOrThrow(Policy.decode({ deadline: "20s", tiers }))
 *
 * Laws.assert(Simulation.policy(policy), Laws.reaches("baseline"))
 *
 * @since 0.1.0
 * @category laws
 */
export const reaches = (
  tier: string,
  options?: { readonly dead?: ReadonlyArray<string> | undefined }
): Law => ({
  name: `${tier} is reached when ${options?.dead?.join(" and ") ?? "those above it"} are dead`,
  scripts: (tiers) => {
    const dead = options?.dead ?? tiers.slice(0, tiers.indexOf(tier))
    return FastCheck.tuple(...dead.map(() => deadly)).map((ways) => ({
      for: "5s",
      load: { rate: 1, arrivals: "even" },
      upstreams: Object.fromEntries(
        // Those that are asked about too, so that the simulator refuses a name that no tier has.
        [...tiers, ...dead, tier].map((name) => {
          const way = ways[dead.indexOf(name)]
          return [name, { latency: "100ms", ...(way && { failures: { [way]: 1 } }) }]
        })
      )
    }))
  },
  broken: ({ ending, servedBy }) =>
    servedBy === tier
      ? undefined
      : `a request ${servedBy === undefined ? ending : `was served by ${servedBy}`}`
})

const deadly = FastCheck.constantFrom(
  "connection",
  "overloaded",
  "server_error",
  "auth",
  "model_not_found",
  "hang"
)

/**
 * After any outage of a tier, the tier answers every request again that arrives this long after its recovery or later.
 *
 * @example
 * import { Either } from "effect"
 * import { Policy } from "@understudy/core"
 * import { Laws, Simulation } from "@understudy/core/testing"
 *
 * const breaker = { consecutive: 5, openFor: "20s" }
 * const policy = Either.getOrThrow(Policy.decode({ tiers: [{ name: "primary", breaker }, { name: "standby" }] }))
 *
 * Laws.assert(Simulation.policy(policy), Laws.backOn("primary", { within: "1 minute" }), { numRuns: 20 })
 *
 * @since 0.1.0
 * @category laws
 */
export const backOn = (tier: string, options: { readonly within: Duration.DurationInput }): Law => {
  const within = Duration.decode(options.within)
  const recovery = ({ events }: Script.Script) =>
    events.reduce(
      (end, event) => Math.max(end, Duration.toMillis(event.at) + Duration.toMillis(event.for ?? 0)),
      0
    )
  return {
    name: `back on ${tier} within ${text(within)} of its recovery`,
    scripts: (tiers) =>
      Arbitraries.event([tier], "10s", 10).map((event) => ({
        for: formatDuration(Duration.sum(within, Duration.minutes(11))),
        load: { rate: 1, arrivals: "even" },
        upstreams: Object.fromEntries(tiers.map((name) => [name, { latency: "100ms" }])),
        events: [event]
      })),
    broken: ({ at, ending, servedBy }, script) => {
      const since = at - recovery(script) - Duration.toMillis(within)
      return servedBy === tier || since < 0
        ? undefined
        : `a request ${text(Duration.millis(since + Duration.toMillis(within)))} after it ${servedBy === undefined ? ending : `was served by ${servedBy}`}`
    }
  }
}

/**
 * A law as a property of a subject, for `FastCheck.assert` or `FastCheck.check`. Its cases are scripts in their file
 * form, and the seed for simulating them.
 *
 * @example
 * import { Effect, FastCheck } from "effect"
 * import { Tier } from "@understudy/core"
 * import { Laws, Simulation } from "@understudy/core/testing"
 *
 * const subject: Simulation.Subject = {
 *   make: ({ call }) => Effect.succeed(Tier.make({ name: "only", effect: call("only"), attemptTimeout: "5 seconds" }))
 * }
 *
 * FastCheck.assert(Laws.property(subject, Laws.neverLongerThan("5 seconds")), { numRuns: 50 })
 *
 * @since 0.1.0
 * @category checking
 */
export const property = (
  subject: Simulation.Subject,
  law: Law
): FastCheck.IPropertyWithHooks<[Script.ScriptFile, number]> =>
  FastCheck.property(law.scripts(tiersOf(subject)), FastCheck.nat(), (file, seed) => {
    const broken = trial(subject, law, file, seed)
    if (broken !== undefined) throw new Error(broken)
  })

/**
 * Throws an error if a law does not hold, with what happened and the smallest script found that causes it.
 *
 * **Details**
 * - It tries 100 scripts, or `numRuns`. Pass the `seed` and `path` of an error to replay it.
 *
 * @example
 * import { Either } from "effect"
 * import { Policy } from "@understudy/core"
 * import { Laws, Simulation } from "@understudy/core/testing"
 *
 * const policy = Either.getOrThrow(Policy.decode({ tiers: [{ name: "primary", timeout: "20s" }] }))
 * let message = ""
 * try {
 *   Laws.assert(Simulation.policy(policy), Laws.neverLongerThan("10 seconds"), { seed: 1 })
 * } catch (error) {
 *   message = String(error)
 * }
 *
 * console.log(message.split("\n")[0]) // => Error: never longer than 10s: a request took 10.001s
 *
 * @since 0.1.0
 * @category checking
 */
export const assert = (
  subject: Simulation.Subject,
  law: Law,
  options?: {
    readonly numRuns?: number | undefined
    readonly seed?: number | undefined
    readonly path?: string | undefined
  }
): void => {
  const { numRuns = 100, path, seed } = options ?? {}
  const details = FastCheck.check(property(subject, law), {
    numRuns,
    ...(seed !== undefined && { seed }),
    ...(path !== undefined && { path })
  })
  const { counterexample } = details
  if (counterexample === null) return
  const [file, simulated] = counterexample
  throw new Error(
    [
      `${law.name}: ${trial(subject, law, file, simulated) ?? details.error}`,
      `The smallest script found that makes it happen, for understudy simulate --seed ${simulated} --outage FILE:`,
      Script.render(file).trimEnd(),
      `To try this case again: { seed: ${details.seed}, path: "${details.counterexamplePath}" }`
    ].join("\n\n")
  )
}

/** Checks the law for one script. */
const trial = (
  subject: Simulation.Subject,
  law: Law,
  file: Script.ScriptFile,
  seed: number
): string | undefined => {
  const script = Schema.decodeSync(Script.Script)(file)
  let broken: string | undefined
  const onRequest = (request: Simulation.Request) => {
    broken ??= law.broken(request, script)
  }
  Simulation.run(subject, { script, seed, onRequest })
  return broken
}

const tiersOf = (subject: Simulation.Subject): ReadonlyArray<string> =>
  new Simulator(subject, { script: Schema.decodeSync(Script.Script)({}) }).tiers

const text = (duration: Duration.DurationInput): string => formatDuration(Duration.decode(duration))
