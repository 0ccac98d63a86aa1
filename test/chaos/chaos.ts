import { Effect, Exit, Scope } from "effect"
import { ask as fetched } from "../support/caller.ts"
import { eventually } from "../support/eventually.ts"
import { gateway, type Running } from "../support/gateway.ts"
import type { Wall } from "../support/wall.ts"
import { ask, hasRun, key, type Told } from "./caller.ts"
import { upstream } from "./upstream.ts"

export interface Size {
  readonly seed: number
  readonly callers: number
  /** Of each of them, one after the other. */
  readonly requests: number
}

/** Everything that anybody wrote down. */
export interface Books {
  readonly told: ReadonlyArray<Told>
  readonly log: Running["log"]
  /** What `/metrics` said when the last caller that was not in the drain had gone. */
  readonly metrics: string
  /** Lines that the log had then. */
  readonly before: number
  readonly walls: ReadonlyArray<Wall>
}

export const file = (tiers: ReadonlyArray<readonly [string, Wall]>): string =>
  JSON.stringify({
    server: { drain: "300ms", apiKeys: [key], maxInFlight: 60, maxQueue: 30, maxWait: "2s" },
    providers: Object.fromEntries(tiers.map(([name, { url }]) => [name, { kind: "openai", baseUrl: url }])),
    routes: {
      chat: {
        deadline: "5s",
        tiers: tiers.map(([name]) => ({
          name,
          provider: name,
          model: name,
          timeout: "2s",
          attemptTimeout: "300ms",
          firstToken: "300ms",
          retry: { times: 1, base: "2ms", max: "10ms", maxRetryAfter: "1s" },
          breaker: { consecutive: 8, openFor: "100ms" }
        }))
      }
    }
  })

/** Many callers, upstreams that fail, two reloads among them, and at last a stop in the middle of it. */
export const chaos = ({ callers, requests, seed }: Size): Effect.Effect<Books, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const heard = new Set<string>()
    const named = [
      ["lead", yield* upstream(seed, "lead", 0.5, heard)],
      ["standby", yield* upstream(seed, "standby", 0.3, heard)],
      ["baseline", yield* upstream(seed, "baseline", 0.05, heard)]
    ] as const
    const [lead, standby, baseline] = named
    const walls = named.map(([, wall]) => wall)
    const scope = yield* Scope.make()
    yield* Effect.addFinalizer((exit) => Scope.close(scope, exit))
    const { log, reload, url } = yield* Scope.extend(gateway(file(named)), scope)

    let done = 0
    const crowd = (name: string, requests: number) =>
      Effect.forEach(
        Array.from({ length: callers }, (_, caller) => caller),
        (caller) =>
          Effect.forEach(
            Array.from({ length: requests }, (_, request) => `${name}-${caller}-${request}`),
            (marker) =>
              Effect.tap(
                ask(url, seed, marker, (marker) => heard.has(marker)),
                () => Effect.sync(() => done++)
              )
          ),
        { concurrency: "unbounded" }
      )
    const after = (share: number, then: Effect.Effect<unknown, unknown>) =>
      Effect.zipRight(
        Effect.repeat(Effect.sleep("2 millis"), { until: () => done >= share * callers * requests }),
        then
      )
    const [stayed] = yield* Effect.all(
      [
        crowd("a", requests),
        after(0.3, reload(file([standby, lead, baseline]))),
        after(0.6, reload(file(named)))
      ],
      { concurrency: "unbounded" }
    )
    // Who left has been told nothing of how the run ended.
    const begun = stayed.flat().filter(hasRun).length
    yield* eventually(() => log.filter(({ message }) => message === "run").length === begun)
    const before = log.length
    const headers = { authorization: `Bearer ${key}` }
    const { text: metrics } = yield* fetched(url, { method: "GET", path: "/metrics", headers })
    const crowded = yield* Effect.fork(crowd("b", 3))
    const late = Effect.sync(() => [...heard].filter((marker) => marker.startsWith("b-")).length)
    yield* Effect.repeat(Effect.zipRight(Effect.sleep("1 millis"), late), { until: (n) => n > callers / 4 })
    yield* Scope.close(scope, Exit.void)
    const drained = yield* crowded
    return { told: [...stayed.flat(), ...drained.flat()], log, metrics, before, walls }
  })
