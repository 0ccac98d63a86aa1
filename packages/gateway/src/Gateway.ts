/**
 * The gateway as an Effect: a configuration in, a listening server out.
 *
 * @since 0.1.0
 */
import type * as Attempt from "@understudy/core/Attempt"
import type * as Health from "@understudy/core/Health"
import type { Logged } from "@understudy/core/Log"
import * as Metrics from "@understudy/otel/Metrics"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as FiberHandle from "effect/FiberHandle"
import * as Ref from "effect/Ref"
import type * as Scope from "effect/Scope"
import type { Config, ConfigError } from "./Config.ts"
import * as AlertWatch from "./internal/serving/alertWatch.ts"
import * as Breakers from "./internal/serving/breakers.ts"
import { type Among, alertStatus, firing } from "./internal/serving/known.ts"
import * as Serving from "./internal/serving/serving.ts"
import * as Succession from "./internal/serving/succession.ts"
import { changed } from "./internal/serving/untilRestart.ts"
import * as Probe from "./Probe.ts"
import * as Server from "./Server.ts"
import * as StatusPage from "./StatusPage.ts"

/**
 * A gateway that listens.
 *
 * @since 0.1.0
 * @category models
 */
export interface Gateway extends Server.Serving {
  /**
   * Serves another configuration from the next request on, and returns the changed keys that require a restart. If the
   * configuration is invalid, the current one stays, and `/status` says why.
   *
   * **Details**
   * - Runs in flight end with the policies and connections they began with, which close after the last one.
   * - A tier keeps its breaker and its state if neither its name, model, breaker and provider have changed in the file,
   *   nor that provider's settings; otherwise it starts with a new one. A dropped breaker that was not closed is
   *   reported as changed to `Closed`, with the reason `retired`.
   * - The tiers' health is kept unless an alert has changed; the results of synthetic checks unless their interval has;
   *   the count of requests in flight unless its limits have.
   */
  readonly reload: (
    next: Effect.Effect<Config, ConfigError>
  ) => Effect.Effect<ReadonlyArray<string>, ConfigError>
}

/**
 * Starts serving and returns the address. Closing the scope drains and stops it.
 *
 * `onEvent` receives every event of a run that has a log line, with the request's id; and, without an id, that a reload
 * retired a breaker that was not closed.
 *
 * @example
 * import { Effect } from "effect"
 * import { Config, Gateway } from "@understudy/gateway"
 *
 * const file = `
 * server: { port: 0 }
 * providers: { stage: { kind: sandbox } }
 * routes: { chat: { tiers: [ { name: primary, provider: stage, model: large } ] } }
 * `
 * const program = Effect.gen(function* () {
 *   const config = yield* Config.parse(file, "understudy.yaml", {})
 *   const { url } = yield* Gateway.start(config, () => {})
 *   return yield* Effect.promise(async () => (await fetch(`${url}/health/ready`)).json())
 * })
 *
 * console.log(await Effect.runPromise(Effect.scoped(program))) // => { status: 'ok' }
 *
 * @since 0.1.0
 * @category constructors
 */
export const start = (
  config: Config,
  onEvent: (requestId: string | undefined, event: Logged) => void,
  options: {
    /** Counts events. Default: the gateway's own. */
    readonly metrics?: Metrics.Metrics | undefined
    /** Called when an alert of the file starts or stops firing. */
    readonly onAlert?: ((status: Health.AlertStatus) => void) | undefined
    /** Hears of every bug that a request or a synthetic check has met; its message may quote what a caller has said. */
    readonly onDefect?: ((requestId: string | undefined, cause: Cause.Cause<unknown>) => void) | undefined
    /** Receives the events of synthetic checks. */
    readonly onProbe?: ((requestId: string, event: Logged) => void) | undefined
    /** Whether prompts and answers are recorded on spans. Default: no. */
    readonly capturesContent?: boolean | undefined
    /** Its connection to the other processes of the same gateway. Default: it is the only one. */
    readonly among?: Among | undefined
  } = {}
): Effect.Effect<Gateway, Server.ListenError, Scope.Scope> =>
  Effect.gen(function* () {
    const counted = options.metrics ?? (yield* Metrics.make)
    const accepting = yield* Ref.make(true)
    const status = yield* StatusPage.make({
      metrics: counted,
      peers: options.among?.peers,
      draining: Effect.map(Ref.get(accepting), (accepting) => !accepting)
    })
    const { onDefect = () => {} } = options
    const hearDefect = (requestId: string | undefined, event: Attempt.Event) => {
      if (event._tag !== "AttemptEnded") return
      const { cause } = event.attempt
      if (cause !== undefined && Cause.isDie(cause)) onDefect(requestId, cause)
    }
    const house: Serving.House = {
      onDefect,
      onEvent: (requestId, event) => {
        hearDefect(requestId, event)
        counted.listener(event)
        if (event._tag === "TierEnded") return
        status.hear(requestId, event)
        onEvent(requestId, event)
      },
      pages: status.pages,
      ready: Ref.get(accepting),
      capturesContent: options.capturesContent
    }
    // Started before the server and therefore stopped after it, since a drain needs the upstreams.
    const serving = yield* Succession.make(Serving.make(config, house))
    const announce = Effect.sync(() => {
      const { routes } = serving.current()
      for (const { breakers, name } of routes) counted.declare(name, breakers)
      status.show(serving.current())
    })
    yield* announce
    const takeOver = (next: Config) =>
      Effect.gen(function* () {
        const before = serving.current()
        yield* serving.replace(Serving.make(next, house, before))
        yield* announce
        const retired = yield* Breakers.retire(before.routes, before.breakers, serving.current().breakers)
        for (const event of retired) house.onEvent(undefined, event)
      })
    const alerts = Effect.suspend(() => serving.current().health.alerts)
    yield* counted.observe(Effect.map(alerts, (alerts) => firing(alerts.map(alertStatus))))
    yield* counted.observe(Effect.suspend(() => breakerStates(serving.current())))
    yield* Effect.forkScoped(AlertWatch.watch(alerts, options.onAlert ?? (() => {})))
    const server = yield* Server.serve({
      ...config.server,
      handedOver: options.among?.handedOver,
      onDefect: (cause) => onDefect(undefined, cause),
      handler: (request) => Effect.flatMap(serving.use, ({ handler }) => handler(request))
    })
    yield* Effect.addFinalizer(() => Ref.set(accepting, false))
    const told = {
      result: status.probed,
      event: (requestId: string, event: Attempt.Event) => {
        hearDefect(requestId, event)
        counted.synthetic(event)
        serving.current().checks?.listener(event)
        if (event._tag === "TierEnded") return
        if (event._tag === "BreakerChanged") status.hear(requestId, event)
        options.onProbe?.(requestId, event)
      }
    }
    // Started after the server and therefore stopped before it drains.
    const probing = yield* FiberHandle.make()
    const probe = Effect.suspend(() => {
      const { config, routes } = serving.current()
      if (config.probe === undefined) return FiberHandle.clear(probing)
      const targets = Probe.targets(routes, config.probe.breakers)
      return Effect.asVoid(
        FiberHandle.run(
          probing,
          Effect.scoped(Effect.zipRight(serving.use, Probe.watch(config.probe, targets, told)))
        )
      )
    })
    yield* probe
    return {
      ...server,
      reload: (next) =>
        next.pipe(
          Effect.tapError((error) => Effect.sync(() => status.refuse(error.message))),
          Effect.tap(takeOver),
          Effect.zipLeft(probe),
          Effect.map((next) => changed(config.server, next.server))
        )
    }
  })

const breakerStates = ({ routes }: Serving.Serving) =>
  Metrics.breakerStates(
    routes.flatMap((route) => route.breakers.map((breaker) => ({ run: route.name, ...breaker })))
  )
