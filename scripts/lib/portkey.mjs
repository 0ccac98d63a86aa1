import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, writeFileSync } from "node:fs"
import { homedir } from "node:os"
import { join } from "node:path"

const version = "1.15.2"

/**
 * Installs the gateway that ours is measured beside, once, into a folder outside of the workspace; returns its program.
 * The server it comes with answers 500 to every stream in the versions that npm picks today.
 */
export const portkey = () => {
  const folder = join(
    process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"),
    `understudy-bench/portkey-${version}`
  )
  const program = join(folder, "node_modules/@portkey-ai/gateway/build/start-server.js")
  if (existsSync(program)) return program
  mkdirSync(folder, { recursive: true })
  const server = { "@hono/node-server": "1.11.1" }
  const dependencies = { "@portkey-ai/gateway": version, ...server }
  writeFileSync(
    join(folder, "package.json"),
    JSON.stringify({ private: true, dependencies, overrides: server })
  )
  process.stderr.write(`Installing @portkey-ai/gateway ${version} (once)...\n`)
  const args = ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"]
  const { status } = spawnSync("npm", args, {
    cwd: folder,
    stdio: ["ignore", "inherit", "inherit"],
    shell: process.platform === "win32"
  })
  if (status !== 0) throw new Error(`${folder}: npm install ended with ${status}`)
  return program
}
