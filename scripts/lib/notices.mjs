import { readdirSync, readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { root } from "./install.mjs"

/** The packages inside a bundle, with what each wants to be passed on with it: its licence, and its notice if any. */
export const notices = (metafile) => {
  const folders = Object.values(metafile.outputs)
    .flatMap(({ inputs }) => Object.entries(inputs))
    .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
    .flatMap(([path]) => /[^:]*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(path)?.[0] ?? [])
  const byText = new Map()
  for (const folder of new Set(folders.map((folder) => resolve(root, folder)))) {
    const { name, text } = described(folder)
    byText.set(text, [...(byText.get(text) ?? []), name].toSorted())
  }
  const parts = [...byText].map(([text, names]) => `${names.join("\n")}\n\n${text}`).toSorted()
  return ["The programs in this folder contain the packages below.", ...parts].join(
    `\n\n${"-".repeat(80)}\n\n`
  )
}

const described = (folder) => {
  const { license, name, version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"))
  const texts = readdirSync(folder)
    .filter((file) => /^(licen[cs]e|notice)(\.|$)/i.test(file))
    .map((file) => readFileSync(join(folder, file), "utf8").trim())
  return { name: `${name} ${version}`, text: [`Licence: ${license}`, ...texts].join("\n\n") }
}
