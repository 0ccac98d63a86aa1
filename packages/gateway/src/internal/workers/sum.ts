import { isDeepStrictEqual } from "node:util"
import * as Health from "@understudy/core/Health"
import * as Metrics from "@understudy/otel/Metrics"
import * as Effect from "effect/Effect"
import type { Config } from "../../Config.ts"
import { alertsOf } from "../file/alertsOf.ts"
import type { Counts } from "../serving/known.ts"

/** Adds up what workers have counted, those that have ended too: a sum that fell would look like a restart. */
interface Sum {
  /** Begins with another worker. */
  readonly add: () => Told
  readonly families: () => ReadonlyArray<Metrics.Family>
  /** Judged by what all have seen. */
  readonly alerts: Effect.Effect<ReadonlyArray<Health.AlertStatus>>
  /** Judges by the alerts of another file. */
  readonly judgeBy: (config: Config) => void
}

/** What a worker has told last. */
export interface Told {
  counts: Counts | undefined
  /** It will tell no more. */
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
