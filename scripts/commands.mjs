// `npm run commands`: docs/commands.md, made of the commands themselves.
import { mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { bundleForNode } from "./lib/bundle.mjs"
import { commandsPage } from "./lib/commandsPage.mjs"
import { install, root } from "./lib/install.mjs"

install()
const outfile = join(mkdtempSync(join(tmpdir(), "understudy-")), "commands.mjs")
const entry = join(root, "packages/gateway/src/internal/command/commands.ts")
await bundleForNode({ entryPoints: [entry], outfile })
const { commands } = await import(pathToFileURL(outfile))
writeFileSync(join(root, "docs/commands.md"), commandsPage(commands))
