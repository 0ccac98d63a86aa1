import cluster from "node:cluster"
import { randomUUID } from "node:crypto"
import { unwatchFile, watchFile } from "node:fs"
import { availableParallelism } from "node:os"
import * as GenAi from "@understudy/otel/GenAi"
import * as Metrics from "@understudy/otel/Metrics"
import * as Telemetry from "@understudy/otel/Telemetry"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import type { Config } from "../../Config.ts"
import * as Gateway from "../../Gateway.ts"
import * as Log from "../../Log.ts"
import type { ListenError } from "../../Server.ts"
import type { Among } from "../serving/known.ts"
import { version } from "../version.ts"
import * as Parent from "../workers/parent.ts"
import { shareable } from "../workers/share.ts"
import * as Worker from "../workers/worker.ts"
import { command, load, type Source, single, type Terminal, UsageError } from "./command.ts"

export const serve = command({
  name: "serve",
  files: "[FILE]",
  summary: "listen and serve the file's routes",
  details: `SIGHUP reloads the file: a valid one is served from the next request on, an invalid one changes nothing,
and the log says why. SIGTERM and SIGINT let requests in flight finish, for at most server.drain, and then
the exit code is 0. A second one ends it at once and says how many requests that cut off; the exit code is
then 130 after SIGINT and 143 after SIGTERM.

With --workers, send signals to the process that was started; its workers follow it.

  understudy serve                          the file here, or the sandbox
  understudy serve /etc/understudy.yaml --log json --watch
  understudy serve --workers auto           one process per core
  kill -HUP PID                             serve the changed file`,
  fails: "it cannot serve",
  flags: {
    port: { type: "string", value: "N", about: "listen here instead of server.port; 0 for any free one" },
    log: { type: "string", value: "FORMAT", about: "json or pretty; default: pretty on a terminal" },
    workers: {
      type: "string",
      value: "N",
      about: "share the connections between N processes; auto: one per core; default: 1"
    },
    watch: { type: "boolean", about: "reload the file when it changes, as on SIGHUP" },
    quiet: { type: "boolean", about: "do not log attempts" }
  },
  run: ({ files, values }, terminal) =>
    Effect.gen(function* () {
      const path = yield* single(files)
      const port = values.port === undefined ? undefined : integerOf(values.port)
      if (port !== undefined && !(port <= 65_535)) {
        return yield* new UsageError({ reason: "--port takes a number from 0 to 65535" })
      }
      const format = values.log ?? (terminal.isTty ? "pretty" : "json")
      if (format !== "json" && format !== "pretty") {
        return yield* new UsageError({ reason: "--log takes json or pretty" })
      }
      const workers = values.workers === "auto" ? availableParallelism() : integerOf(values.workers ?? "1")
      if (!(workers >= 1)) {
        return yield* new UsageError({ reason: "--workers takes a number from 1 on, or auto" })
      }
      const settled = (config: Config): Config => ({
        ...config,
        server: { ...config.server, port: port ?? config.server.port }
      })
      const logs = (format: Log.Format) => (entry: Log.Entry) => terminal.print(Log.render(entry, format))
      if (cluster.isWorker) {
        return yield* serving(terminal, { "service.instance.id": randomUUID() }, (metrics) =>
          Worker.run({
            env: terminal.env,
            settled,
            start: (config, format, among, worker) => {
              const log = logs(format)
              return start(config, terminal, {
                metrics,
                among,
                // Each worker has its own breakers.
                log: (entry) => log(entry.message === "breaker" ? { ...entry, worker } : entry),
                quiet: values.quiet
              })
            }
          })
        )
      }
      const log = logs(format)
      const read = Effect.flatMap(load(path, terminal), ({ config, ...source }) =>
        Effect.map(shareable(source.name, settled(config), workers), (config) => ({ ...source, config }))
      )
      // Started before the file is read, so that no change in between is missed.
      const asked = yield* changes(values.watch ? path : undefined, terminal)
      const announce = (url: string, { config, name }: Source) =>
        format === "pretty"
          ? terminal.print(
              screen(url, name, Object.keys(config.routes)[0]!, Telemetry.configured(terminal.env))
            )
          : log(Log.listening(url, name, new Date()))
      if (workers > 1) {
        return yield* Parent.run({
          workers,
          format,
          read,
          asked,
          log,
          print: terminal.print,
          onServing: terminal.onServing,
          onListening: announce
        })
      }
      return yield* serving(terminal, {}, (metrics) =>
        Effect.gen(function* () {
          const source = yield* read
          const { reload, underWay, url } = yield* start(source.config, terminal, {
            metrics,
            log,
            quiet: values.quiet
          })
          terminal.onServing?.(underWay)
          announce(url, source)
          const next = Effect.either(reload(Effect.map(read, ({ config }) => config)))
          return yield* Effect.forever(
            Effect.zipRight(
              Queue.take(asked),
              Effect.map(next, (read) => log(Log.reload(read, new Date())))
            )
          )
        })
      )
    }).pipe(Effect.scoped)
})

/** Not what else JavaScript takes for a number, such as `0x50`. */
const integerOf = (text: string): number => (/^\d+$/.test(text) ? Number(text) : Number.NaN)

/** A gateway that logs. With workers, the parent logs the alerts, over all of them. */
const start = (
  config: Config,
  { env }: Terminal,
  options: {
    readonly metrics: Metrics.Metrics
    readonly among?: Among
    readonly log: (entry: Log.Entry) => void
    readonly quiet: boolean
  }
): Effect.Effect<Gateway.Gateway, ListenError, Scope.Scope> => {
  const { among, log, metrics, quiet } = options
  return Gateway.start(
    config,
    (requestId, event) => {
      if (quiet && event._tag === "AttemptEnded") return
      log(Log.entry(requestId, event, new Date()))
    },
    {
      metrics,
      among,
      capturesContent: GenAi.capturesContent(env),
      onAlert: among === undefined ? (status) => log(Log.alert(status, new Date())) : undefined,
      onDefect: (id, cause) => log(Log.defect(id, cause, new Date())),
      onProbe: (id, event) => log({ ...Log.entry(id, event, new Date()), synthetic: true })
    }
  )
}

/** Provides the telemetry configured by the environment. */
const serving = <A, E>(
  { env }: Terminal,
  attributes: Readonly<Record<string, string>>,
  serve: (metrics: Metrics.Metrics) => Effect.Effect<A, E, Scope.Scope>
): Effect.Effect<A, E> =>
  Effect.flatMap(Metrics.make, (metrics) =>
    serve(metrics).pipe(
      Effect.scoped,
      Effect.provide(
        Telemetry.configured(env)
          ? Telemetry.layer({ serviceName: "understudy", serviceVersion: version, attributes, metrics })
          : Layer.empty
      ),
      // Spans that are not exported would cost as much as those that are.
      Effect.withTracerEnabled(false)
    )
  )

/** Requests to reload the file: from the terminal and, if a path is given, from changes of the file itself. */
const changes = (
  path: string | undefined,
  terminal: Terminal
): Effect.Effect<Queue.Dequeue<void>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const asked = yield* Queue.sliding<void>(1)
    const ask = () => void asked.unsafeOffer(undefined)
    terminal.onHangup?.(ask)
    if (path !== undefined) {
      // By polling: a mounted file changes through a link two folders up, which no watcher notices.
      yield* Effect.acquireRelease(
        Effect.sync(() => watchFile(path, { interval: 1000 }, ask)),
        () => Effect.sync(() => unwatchFile(path, ask))
      )
    }
    return asked
  })

const screen = (url: string, name: string, route: string, traced: boolean): string => `
  Understudy is listening on ${url}, serving ${name}.

    curl ${url}/v1/chat/completions -H 'content-type: application/json' \\
      -d '{"model":"${route}","messages":[{"role":"user","content":"Who goes on tonight?"}]}'

  Ask a few times: every attempt is a line below, and when a tier fails the next one answers. "stream": true streams.
  Clients of OpenAI need only the base URL ${url}/v1 and any key. Stop with Ctrl-C.
${traced ? traces : noTraces}`

const traces = `
  Traces go out. Those of a Jaeger on this machine: http://127.0.0.1:16686/search?service=understudy
`

const noTraces = `
  To see each run as a trace, start Jaeger, start this again with its address, and open http://127.0.0.1:16686:

    docker run --rm -d -p 16686:16686 -p 4318:4318 jaegertracing/jaeger:latest
    export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318
`
