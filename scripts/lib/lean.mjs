import { createRequire } from "node:module"
import { dirname, join, relative } from "node:path"
import { root } from "./install.mjs"

const require = createRequire(import.meta.url)

/**
 * Has Node's modules required and not imported: whoever imports `node:http` is given all of its exports, and with one
 * that nobody asked for comes `fetch` and its kin, which takes Node 22 a sixth of the start and 5 MB. A plugin of esbuild.
 */
export const required = {
  name: "required",
  setup: ({ onLoad, onResolve }) => {
    // One for each importer, or the bundler makes a file of what two of its files would share.
    onResolve({ filter: /^node:/ }, ({ importer, kind, path }) =>
      kind === "import-statement"
        ? { path, namespace: "required", suffix: `?${relative(root, importer)}` }
        : undefined
    )
    // Each of its names by itself: of CommonJS the bundler has all properties copied, for every importer.
    onLoad({ filter: /./, namespace: "required" }, ({ path }) => ({
      contents: [
        `const all = require(${JSON.stringify(path)})`,
        "export default all",
        ...Object.keys(require(path)).map(
          (name) => `export const ${name} = /* @__PURE__ */ (() => all.${name})()`
        )
      ].join("\n")
    }))
  }
}

/**
 * Modules of others that load far more than the gateway ever runs, by what they are loaded as, and what stands in
 * their place in its bundle. It is a quarter smaller without the rest, and starts with a quarter less of memory.
 */
const replaced = [
  {
    // Its index loads `fetch`, web sockets, caches and mocks.
    path: /^undici$/,
    contents: `
      export { default as buildConnector } from "undici/lib/core/connect.js"
      export { default as Client } from "undici/lib/dispatcher/client.js"`
  },
  {
    // HTTP/2, which nobody is allowed to choose, and with it Node's own.
    path: /\/client-h2\.js$/,
    from: /undici/,
    contents: `module.exports = () => { throw new Error("no HTTP/2 in a bundle") }`
  },
  {
    // What makes bytes of forms: we send nothing but bytes. With it come most of `fetch` and what web IDL asks for.
    path: /\/fetch\/body\.js$/,
    from: /undici/,
    contents: `exports.extractBody = () => { throw new Error("no forms in a bundle") }`
  },
  {
    // Its modules: what it has for Node is CommonJS, each function of which is parsed twice, and asks the environment at
    // every token whether to print it. Not for OpenTelemetry, which requires it: of modules that are required too the bundler
    // makes closures, which V8 reads twice.
    path: /^yaml$/,
    from: /packages.gateway.src/,
    contents: `export * from ${JSON.stringify(join(root, "packages/gateway/node_modules/yaml/browser/index.js"))}`
  },
  {
    // What a schema makes arbitrary values with.
    path: /\/FastCheck\.js$/,
    from: /effect.dist.esm.Schema\.js$/,
    contents: `export const array = () => { throw new Error("no arbitrary values in a bundle") }`
  }
]

/** Leaves out of the gateway's bundle what it never runs. A plugin of esbuild. */
export const lean = {
  name: "lean",
  setup: ({ onLoad, onResolve }) => {
    for (const [index, { from = /./, path }] of replaced.entries()) {
      onResolve({ filter: path }, ({ importer, namespace, path, resolveDir }) =>
        namespace === "file" && from.test(importer)
          ? { path: relative(root, join(resolveDir, path)), namespace: "lean", pluginData: { index } }
          : undefined
      )
    }
    onLoad({ filter: /./, namespace: "lean" }, ({ path, pluginData: { index } }) => ({
      contents: replaced[index].contents,
      resolveDir: dirname(join(root, path))
    }))
  }
}
