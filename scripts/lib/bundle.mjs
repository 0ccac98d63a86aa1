import { join } from "node:path"
import { root } from "./install.mjs"

/** Bundles the gateway into one folder that runs on plain Node; returns its main file. */
export const bundle = async () => {
  const { build } = await import("esbuild")
  const outdir = join(root, "packages/gateway/dist/bundle")
  await build({
    entryPoints: [join(root, "packages/gateway/src/main.ts")],
    outdir,
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
    }
  })
  return join(outdir, "main.mjs")
}
