import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Log from "../../Log.ts"
import * as Probe from "../../Probe.ts"
import { table } from "../laboratory/words.ts"
import * as Serving from "../serving/serving.ts"
import { command, load, single, UnansweredError } from "./command.ts"

export const probe = command({
  name: "probe",
  files: "[FILE]",
  summary: "ask every tier once, now, and print a row for each",
  details: `One request of a few tokens to each tier, without retries, four at once; it does not count for any breaker.
With the file's key probe, a gateway does the same regularly.`,
  fails: "the file cannot be used, or a tier does not answer",
  flags: { json: { type: "boolean", about: "print JSON" } },
  run: ({ files, values }, terminal) =>
    Effect.gen(function* () {
      const { config } = yield* load(yield* single(files), terminal)
      const { routes } = yield* Serving.make(config, alone)
      const targets = Probe.targets(routes, false)
      const started = yield* Clock.currentTimeMillis
      let done = 0
      const results = yield* Effect.forEach(
        targets,
        (target) =>
          Effect.tap(Probe.once(target, config.probe?.maxTokens ?? 8), () =>
            Effect.map(Clock.currentTimeMillis, (now) => {
              done++
              if (now - started > 2000) terminal.progress?.(`${done} of ${targets.length} tiers`)
            })
          ),
        { concurrency: 4 }
      )
      terminal.progress?.("")
      terminal.print(values.json ? JSON.stringify(results, null, 2) : described(results))
      const failed = results.filter(({ outcome }) => outcome !== "success").length
      if (failed > 0) return yield* new UnansweredError({ failed, of: results.length })
    }).pipe(Effect.scoped)
})

/** A single run without listeners. */
const alone: Serving.House = { onEvent: () => {}, pages: {}, ready: Effect.succeed(true) }

const described = (results: ReadonlyArray<Log.Entry>): string =>
  table(
    [
      ["route", "tier", "provider", "model", "latency", "outcome"],
      ...results.map(
        ({
          error_code,
          error_type,
          latency_ms,
          model,
          outcome = "refused",
          provider,
          route,
          status,
          tier
        }) => [
          String(route),
          String(tier),
          String(provider),
          String(model),
          latency_ms === undefined ? "" : `${latency_ms} ms`,
          [outcome, status, error_type, error_code].filter((part) => part !== undefined).join(" ")
        ]
      )
    ],
    [4]
  )
