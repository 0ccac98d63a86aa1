import { isDeepStrictEqual } from "node:util"
import * as Health from "@understudy/core/Health"
import * as Metrics from "@understudy/otel/Metrics"
import * as Effect from "effect/Effect"
import type { Config } from "../../Config.ts"
import { alertsOf } from "../file/alertsOf.ts"
import type { Counts } from "../serving/known.ts"

/** Sums the counts of workers, including those that have ended: a falling sum would look like a restart. */
interface Sum {
  /** Adds a worker. */
  readonly add: () => Told
  readonly families: () => ReadonlyArray<Metrics.Family>
  /** The alerts over all workers. */
  readonly alerts: Effect.Effect<ReadonlyArray<Health.AlertStatus>>
  /** Switches to the alerts of another file. */
  readonly judgeBy: (config: Config) => void
}

/** The last report of a worker. */
export interface Told {
  counts: Counts | undefined
  /** No more reports will come. */
  readonly close: () => void
}

export const make = (config: Config): Sum => {
  const telling = new Set<Told>()
  let closed: ReadonlyArray<Metrics.Family> = []
  let alerts = alertsOf(config)
  let statuses: ReadonlyArray<Health.AlertStatus> = []
  const counts = () => [...telling].flatMap(({ counts }) => counts ?? [])
  return {
    add: () => {
      const told: Told = {
        counts: undefined,
        close: () => {
          telling.delete(told)
          const kept = (told.counts?.families ?? []).filter(({ type }) => type !== "gauge")
          closed = Metrics.merge([closed, kept])
        }
      }
      telling.add(told)
      return told
    },
    families: () => Metrics.merge([closed, ...counts().map(({ families }) => families)]),
    alerts: Effect.suspend(() =>
      Effect.map(
        Health.judge(
          alerts,
          counts().flatMap(({ watched }) => watched),
          statuses
        ),
        (judged) => {
          statuses = judged
          return judged
        }
      )
    ),
    judgeBy: (config) => {
      const next = alertsOf(config)
      if (!isDeepStrictEqual(next, alerts)) alerts = next
    }
  }
}
