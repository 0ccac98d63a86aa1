import { chmodSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { functions } from "./functions.mjs"
import { root } from "./install.mjs"
import { lean, required } from "./lean.mjs"
import { modules } from "./modules.mjs"
import { notices } from "./notices.mjs"

/** Bundles what is to run on plain Node; `options` are esbuild's. */
export const bundleForNode = async (options) => {
  const { build } = await import("esbuild")
  return build({
    bundle: true,
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

/** Bundles programs into one folder; `options` are esbuild's. */
export const programs = (entryPoints, options) =>
  bundleForNode({
    entryPoints,
    outExtension: { ".js": ".mjs" },
    // What is imported only when it is needed, such as the OpenTelemetry SDK, is loaded only then.
    splitting: true,
    ...options
  })

/** Bundles the gateway as it is shipped; `options` are esbuild's. */
export const gateway = (options) =>
  programs([join(root, "packages/gateway/src/main.ts")], {
    plugins: [lean, required, functions, modules],
    minify: true,
    // In a file of their own, below.
    legalComments: "none",
    // Names and lines for `node --enable-source-maps`.
    sourcemap: true,
    sourcesContent: false,
    ...options
  })

/** Bundles the gateway into its package; returns its main file. */
export const bundle = async () => {
  const outdir = join(root, "packages/gateway/dist/bundle")
  const main = join(outdir, "main.mjs")
  if (isNewerThanSources(main)) return main
  const { metafile, outputFiles } = await gateway({
    absWorkingDir: root,
    outdir,
    metafile: true,
    write: false
  })
  const files = new Map(outputFiles.map(({ contents, path }) => [basename(path), contents]))
  files.set("THIRD-PARTY.txt", Buffer.from(notices(metafile)))
  mkdirSync(outdir, { recursive: true })
  for (const [name, contents] of files) replace(join(outdir, name), contents)
  chmodSync(main, 0o755)
  for (const name of readdirSync(outdir)) if (!files.has(name)) rmSync(join(outdir, name))
  return main
}

/** In one step: a program that was started from it may be about to load it, and another bundler at work. */
const replace = (file, contents) => {
  const written = `${file}.${process.pid}`
  writeFileSync(written, contents)
  renameSync(written, file)
}

const isNewerThanSources = (file) => {
  const bundled = statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0
  const sources = readdirSync(join(root, "packages"))
    .flatMap((name) => {
      const src = join(root, "packages", name, "src")
      return readdirSync(src, { recursive: true }).map((path) => join(src, path))
    })
    .concat(
      join(root, "pnpm-lock.yaml"),
      readdirSync(import.meta.dirname).map((name) => join(import.meta.dirname, name))
    )
  return sources.every((source) => statSync(source).mtimeMs < bundled)
}
