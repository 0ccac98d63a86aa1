import { readFile } from "node:fs/promises"

/**
 * Makes modules of undici's CommonJS: that the bundler puts into closures, which V8 reads twice. A plugin of esbuild.
 */
export const modules = {
  name: "modules",
  setup: ({ onLoad }) => {
    onLoad({ filter: /[\\/]undici[\\/]lib[\\/](core|dispatcher|handler|util)[\\/]/ }, async ({ path }) => ({
      contents: asModule(await readFile(path, "utf8"))
    }))
  }
}

/** With an import for what it requires first of its own kind, and all that it exports as the default. No line moves. */
const asModule = (source) => {
  const imports = []
  const module = source
    .replace(/(?<=^(?:const .*|\}) = )require\(('\.(?!.*llhttp).*')\)$/gm, (_, path) => {
      const name = `required${imports.length}`
      imports.push(`import ${name} from ${path};`)
      return name
    })
    .replace(/^module\.exports = /m, "export default ")
  return imports.join("") + module
}
