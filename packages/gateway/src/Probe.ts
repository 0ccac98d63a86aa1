/**
 * Synthetic checks: a small request to a tier, through the same engine as any other, to detect that it does not answer
 * before a user does.
 *
 * @since 0.1.0
 */
import * as Attempt from "@understudy/core/Attempt"
import type { CircuitBreaker } from "@understudy/core/CircuitBreaker"
import * as Route from "@understudy/http/Route"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type { Probe } from "./Config.ts"
import * as Log from "./Log.ts"

/**
 * A tier to be checked. With a `breaker`, the check needs its admission and counts for it like any request: an open
 * breaker is probed after its time even without users.
 *
 * @since 0.1.0
 * @category models
 */
export interface Target {
  readonly route: Route.Route
  readonly tier: Route.RouteTier
  readonly breaker?: CircuitBreaker | undefined
}

/**
 * All tiers of these routes, with their breakers if the checks are to count for them.
 *
 * @example
 * import { Policy } from "@understudy/core"
 * import { Probe } from "@understudy/gateway"
 * import { Route, Sandbox } from "@understudy/http"
 * import { Effect, Either } from "effect"
 *
 * const provider = Sandbox.make({ name: "stage", latency: "1 millis" })
 * const { tiers, ...bounds } = Either.getOrThrow(Policy.decode({ tiers: [{ name: "primary" }] }))
 * const program = Effect.gen(function* () {
 *   const policy = { ...bounds, tiers: [{ ...tiers[0], provider, model: "large" }] } as const
 *   const route = yield* Route.make("chat", policy)
 *   return Probe.targets([route], false)
 * })
 *
 * console.log(Effect.runSync(program).map(({ tier }) => tier.name)) // => [ 'primary' ]
 *
 * @since 0.1.0
 * @category constructors
 */
export const targets = (routes: ReadonlyArray<Route.Route>, breakers: boolean): ReadonlyArray<Target> =>
  routes.flatMap((route) =>
    route.tiers.map((tier, index) => ({
      route,
      tier,
      breaker: breakers ? route.breakers[index]?.breaker : undefined
    }))
  )

/**
 * Checks a tier now, with one attempt within the tier's own bounds. Returns the log line of that attempt, or of the
 * breaker's refusal.
 *
 * @example
 * import { Policy } from "@understudy/core"
 * import { Probe } from "@understudy/gateway"
 * import { Route, Sandbox } from "@understudy/http"
 * import { Effect, Either } from "effect"
 *
 * const provider = Sandbox.make({ name: "stage", latency: "1 millis" })
 * const { tiers, ...bounds } = Either.getOrThrow(Policy.decode({ tiers: [{ name: "primary" }] }))
 * const program = Effect.gen(function* () {
 *   const policy = { ...bounds, tiers: [{ ...tiers[0], provider, model: "large" }] } as const
 *   const route = yield* Route.make("chat", policy)
 *   const [target] = Probe.targets([route], false)
 *   return yield* Probe.once(target!, 8)
 * })
 *
 * console.log((await Effect.runPromise(program))["outcome"]) // => success
 *
 * @example
 * import { Policy } from "@understudy/core"
 * import { Probe } from "@understudy/gateway"
 * import { Route, Sandbox } from "@understudy/http"
 * import { Effect, Schema } from "effect"
 *
 * const { tiers, ...policy } = Schema.decodeSync(Policy.Policy)({ tiers: [{ name: "primary" }] })
 * const provider = Sandbox.make({ name: "stage", latency: "1 millis", failure: { status: 503, rate: 1 } })
 *
 * const program = Effect.gen(function* () {
 *   const route = yield* Route.make("chat", { ...policy, tiers: [{ ...tiers[0], provider, model: "large" }] })
 *   return yield* Effect.forEach(Probe.targets([route], false), (target) => Probe.once(target, 8))
 * })
 * const [checked] = await Effect.runPromise(program)
 *
 * console.log(checked?.["tier"], checked?.["outcome"], checked?.["status"]) // => primary failure 503
 *
 * @since 0.1.0
 * @category execution
 */
export const once = (
  { breaker, route, tier }: Target,
  maxTokens: number,
  onEvent: (requestId: string, event: Attempt.Event) => void = () => {}
): Effect.Effect<Log.Entry> =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const id = `probe_${(yield* Random.nextIntBetween(2 ** 28, 2 ** 32)).toString(16)}`
    const backoff = { ...tier.backoff, times: 0 }
    const policy = {
      deadline: tier.timeout,
      maxTiers: undefined,
      tiers: [{ ...tier, backoff, hedge: undefined }]
    } as const
    const [alone] = yield* Route.makeAll(
      { [route.name]: policy },
      breaker && { breaker: () => Effect.succeed(breaker) }
    )
    let entry: Log.Entry | undefined
    const body = new TextEncoder().encode(JSON.stringify(asking(route, maxTokens)))
    yield* Effect.exit(alone!.complete({ model: route.name, stream: false, body })).pipe(
      Effect.provideService(Attempt.Listener, (event) => {
        if (event._tag === "AttemptEnded" || event._tag === "TierRefused") {
          entry = Log.entry(id, event, new Date(clock.unsafeCurrentTimeMillis()))
        }
        // Transitions of a temporary breaker are not reported.
        if (event._tag !== "BreakerChanged" || breaker !== undefined) onEvent(id, event)
      }),
      Effect.annotateSpans("understudy.synthetic", true)
    )
    return yield* Effect.orDie(Effect.fromNullable(entry))
  })

const asking = ({ name, serves }: Route.Route, maxTokens: number): object =>
  serves === "embeddings"
    ? { model: name, input: "ping" }
    : { model: name, messages: [{ role: "user", content: "ping" }], max_completion_tokens: maxTokens }

/**
 * Checks every tier repeatedly, each at its own times: first at some point within the first interval, then after each
 * interval ± 10 %. At most four at once.
 *
 * @example
 * import { Policy } from "@understudy/core"
 * import { Probe } from "@understudy/gateway"
 * import { Route, Sandbox } from "@understudy/http"
 * import { Deferred, Duration, Effect, Either } from "effect"
 *
 * const provider = Sandbox.make({ name: "stage", latency: "1 millis" })
 * const { tiers, ...bounds } = Either.getOrThrow(Policy.decode({ tiers: [{ name: "primary" }] }))
 * const program = Effect.gen(function* () {
 *   const policy = { ...bounds, tiers: [{ ...tiers[0], provider, model: "large" }] } as const
 *   const route = yield* Route.make("chat", policy)
 *   const checked = yield* Deferred.make<string>()
 *   const probe = { every: Duration.millis(5), maxTokens: 8, breakers: false }
 *   yield* Effect.fork(
 *     Probe.watch(probe, Probe.targets([route], false), {
 *       event: () => {},
 *       result: ({ outcome, tier }) => Deferred.unsafeDone(checked, Effect.succeed(`${tier}: ${outcome}`))
 *     })
 *   )
 *   return yield* Deferred.await(checked)
 * })
 *
 * console.log(await Effect.runPromise(program)) // => primary: success
 *
 * @since 0.1.0
 * @category execution
 */
export const watch = (
  { every, maxTokens }: Probe,
  targets: ReadonlyArray<Target>,
  told: {
    readonly event: (requestId: string, event: Attempt.Event) => void
    readonly result: (entry: Log.Entry) => void
  }
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const places = yield* Effect.makeSemaphore(4)
    const wait = (least: number, most: number) =>
      Effect.flatMap(Random.nextRange(least, most), (share) => Effect.sleep(Duration.times(every, share)))
    const again = (target: Target) =>
      Effect.zipRight(
        Effect.tap(places.withPermits(1)(once(target, maxTokens, told.event)), (entry) =>
          Effect.sync(() => told.result(entry))
        ),
        wait(0.9, 1.1)
      )
    yield* Effect.forEach(targets, (target) => Effect.zipRight(wait(0, 1), Effect.forever(again(target))), {
      concurrency: "unbounded",
      discard: true
    })
  })
