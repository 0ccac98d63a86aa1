import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

export const root = join(dirname(fileURLToPath(import.meta.url)), "../..")

const { packageManager } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))

/** Runs the pinned pnpm in the workspace, and ends the process where it fails. */
export const pnpm = (args, env = {}) => {
  const { status } = spawnSync("npx", ["--yes", packageManager, ...args], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ["ignore", "inherit", "inherit"],
    shell: process.platform === "win32"
  })
  if (status !== 0) process.exit(status ?? 1)
}

/** Installs the workspace, unless this very lockfile has been installed already. */
export const install = () => {
  const stamp = join(root, "node_modules/.stamp")
  const lockfile = readFileSync(join(root, "pnpm-lock.yaml"))
  const wanted = createHash("sha256").update(lockfile).update(process.version).digest("hex")
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return
  process.stderr.write("Installing packages (once, about a minute)...\n")
  pnpm(["install", "--frozen-lockfile", "--reporter=silent"])
  writeFileSync(stamp, wanted)
}
