import { readdirSync, statSync } from "node:fs"
import { join } from "node:path"
import { root } from "./install.mjs"

/** Bundles programs into one folder, each into one that runs on plain Node; `options` are esbuild's. */
export const programs = async (entryPoints, options) => {
  const { build } = await import("esbuild")
  await build({
    entryPoints,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    // What is imported only when it is needed, such as the OpenTelemetry SDK, is loaded only then.
    splitting: true,
    platform: "node",
    target: "node20",
    format: "esm",
    logLevel: "error",
    // CommonJS packages inside the bundle call require.
    banner: {
      js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);'
    },
    ...options
  })
}

export const main = join(root, "packages/gateway/src/main.ts")

/** Bundles the gateway into one folder; returns its main file. */
export const bundle = async () => {
  const outdir = join(root, "packages/gateway/dist/bundle")
  const bundled = join(outdir, "main.mjs")
  if (!isNewerThanSources(bundled)) await programs([main], { outdir })
  return bundled
}

const isNewerThanSources = (file) => {
  const bundled = statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0
  const sources = readdirSync(join(root, "packages"))
    .flatMap((name) => {
      const src = join(root, "packages", name, "src")
      return readdirSync(src, { recursive: true }).map((path) => join(src, path))
    })
    .concat(join(root, "pnpm-lock.yaml"), import.meta.filename)
  return sources.every((source) => statSync(source).mtimeMs < bundled)
}
