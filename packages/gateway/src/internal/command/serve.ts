import * as Metrics from "@understudy/otel/Metrics"
import * as Telemetry from "@understudy/otel/Telemetry"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Gateway from "../../Gateway.ts"
import * as Log from "../../Log.ts"
import { version } from "../version.ts"
import { command, load, single, UsageError } from "./command.ts"

export const serve = command({
  name: "serve",
  files: "[FILE]",
  summary: "listen and serve the file's routes",
  flags: {
    port: { type: "string", value: "N", about: "listen here instead of server.port; 0 for any free one" },
    log: { type: "string", value: "FORMAT", about: "json or pretty; default: pretty on a terminal" }
  },
  run: ({ files, values }, terminal) =>
    Effect.flatMap(Metrics.make, (metrics) =>
      Effect.gen(function* () {
        const { config, name } = yield* load(yield* single(files), terminal)
        const port = values.port === undefined ? config.server.port : Number(values.port)
        if (!(Number.isInteger(port) && port >= 0 && port <= 65_535)) {
          return yield* new UsageError({ reason: "--port takes a number from 0 to 65535" })
        }
        const format = values.log ?? (terminal.isTty ? "pretty" : "json")
        if (format !== "json" && format !== "pretty") {
          return yield* new UsageError({ reason: "--log takes json or pretty" })
        }
        const log = (entry: Log.Entry) => terminal.print(Log.render(entry, format))
        const { url } = yield* Gateway.start(
          { ...config, server: { ...config.server, port } },
          (requestId, event) => log(Log.entry(requestId, event, new Date())),
          { metrics, onAlert: (status) => log(Log.alert(status, new Date())) }
        )
        terminal.print(
          format === "pretty"
            ? screen(url, name, Object.keys(config.routes)[0]!, Telemetry.configured(terminal.env))
            : JSON.stringify({
                timestamp: new Date().toISOString(),
                level: "INFO",
                message: "listening",
                url
              })
        )
        return yield* Effect.never
      }).pipe(
        Effect.scoped,
        Effect.provide(
          Telemetry.configured(terminal.env)
            ? Telemetry.layer({ serviceName: "understudy", serviceVersion: version, metrics })
            : Layer.empty
        )
      )
    )
})

const screen = (url: string, name: string, route: string, traced: boolean): string => `
  Understudy is listening on ${url}, serving ${name}.

    curl ${url}/v1/chat/completions -H 'content-type: application/json' \\
      -d '{"model":"${route}","messages":[{"role":"user","content":"Who goes on tonight?"}]}'

  Add "stream": true for a stream. Every attempt is a line below; watch tiers fail and the next one answer.
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
