// Installing into the cache directory: whole or not at all, and only once.

import { spawn } from "node:child_process"
import { mkdir, readdir, rename, rm, stat } from "node:fs/promises"
import os from "node:os"
import path from "node:path"

/** Where finished installs live: one directory for each name and version. */
export const cacheDir = () =>
  path.resolve(
    process.env.UNDERSTUDY_CACHE ??
      path.join(process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), ".cache"), "understudy")
  )

/** The interpreter of a venv. */
export const pythonOf = (dir) => path.join(dir, "bin", "python")

/** Removes an entry of the cache directory. */
export const remove = (name) => rm(path.join(cacheDir(), name), { recursive: true, force: true })

const running = new Map()
const exists = (file) => stat(file).then(Boolean, () => false)
const isAlive = (pid) => {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return error.code === "EPERM" // alive, and another user's
  }
}

/**
 * Makes `<cache>/<name>` once: built under another name and renamed at the end, so it is whole or absent.
 * Never rejects: `{ ok: true, dir }` or `{ ok: false, why }`.
 */
export const install = (name, cost, build) => {
  const again = running.get(name) ?? attempt(name, cost, build).finally(() => running.delete(name))
  running.set(name, again)
  return again
}

const attempt = async (name, cost, build) => {
  const dir = path.join(cacheDir(), name)
  if (await exists(dir)) return { ok: true, dir }
  const half = `${dir}.half-${process.pid}`
  try {
    if (process.platform === "win32") throw new Error("only Linux and macOS are supported")
    process.stderr.write(`installing ${name} (once, about ${cost})…\n`)
    await mkdir(cacheDir(), { recursive: true })
    for (const left of await readdir(cacheDir())) {
      const [of, pid] = left.split(".half-")
      const abandoned = pid !== undefined && (Number(pid) === process.pid || !isAlive(Number(pid)))
      if (of === name && abandoned) await remove(left)
    }
    await mkdir(half)
    await build(half)
    await rename(half, dir)
    return { ok: true, dir }
  } catch (error) {
    // Another process may have been at the same and faster: its install is as good.
    if (await exists(dir)) return { ok: true, dir }
    return { ok: false, why: `${name}: ${error.message.replace(/\s+/g, " ").slice(0, 600)}` }
  } finally {
    await remove(path.basename(half)).catch(() => {})
  }
}

/** A venv at `dir` with `what` (arguments for pip install) in it. */
export const venv = async (dir, what) => {
  await run("python3", ["-m", "venv", dir])
  // Only wheels: an install never turns into a compile. No pip cache: the install itself is the cache.
  const flags = ["--quiet", "--disable-pip-version-check", "--no-cache-dir", "--only-binary", ":all:"]
  await run(pythonOf(dir), ["-m", "pip", "install", ...flags, ...what])
}

/**
 * A program in Go, compiled from its source: `<cache>/<name>-<version>/<name>`. Never rejects.
 * @param {string} name
 * @param {object} options
 * @param {string} options.version
 * @param {string} options.cost
 * @param {string} [options.module] where its source is: a module with its version, or
 * @param {string} [options.dir] a directory
 * @param {ReadonlyArray<string>} options.build what `go build` is to build there, and how
 * @returns {Promise<{ ok: true, program: string } | { ok: false, why: string }>}
 */
export const installGo = async (name, { version, cost, module, dir, build }) => {
  const scratch = path.join(cacheDir(), `${name}-build`)
  const done = await install(`${name}-${version}`, cost, async (half) => {
    // Go's own caches for this build stay until it has succeeded: an interrupted compile goes on where it was.
    const env = {
      GOMODCACHE: path.join(scratch, "mod"),
      GOCACHE: path.join(scratch, "build"),
      GOFLAGS: "-modcacherw", // else the module cache is read-only and cannot be removed afterwards
      GOWORK: "off",
      CGO_ENABLED: "0"
    }
    // Not `go install module@version`: that refuses modules with replace directives. Building inside the
    // downloaded module honours them, and checks every dependency against its own go.sum.
    const cwd = dir ?? JSON.parse(await run("go", ["mod", "download", "-json", module], { env })).Dir
    await run("go", ["build", "-trimpath", "-o", path.join(half, name), ...build], { env, cwd })
  })
  if (!done.ok) return done
  await remove(`${name}-build`).catch(() => {})
  return { ok: true, program: path.join(done.dir, name) }
}

/**
 * A program of a Debian package: the one in the path, or installed with `apt-get` by who is root. Never rejects.
 */
export const installDebian = async (name, program, cost) => {
  const found = () => run("sh", ["-c", 'command -v "$1"', "sh", program]).then((path) => path.trim())
  try {
    const there = await found().catch(() => undefined)
    if (there !== undefined) return { ok: true, program: there }
    if (process.getuid?.() !== 0) throw new Error(`install Debian's package ${name}`)
    process.stderr.write(`installing ${name} (once, about ${cost})…\n`)
    const env = { DEBIAN_FRONTEND: "noninteractive" }
    await run("apt-get", ["update"], { env })
    await run("apt-get", ["install", "--yes", "--no-install-recommends", name], { env })
    return { ok: true, program: await found() }
  } catch (error) {
    return { ok: false, why: `${name}: ${error.message.replace(/\s+/g, " ").slice(0, 600)}` }
  }
}

/**
 * Runs an install command at low priority; resolves to its stdout, rejects with the end of what it said.
 * @param {string} command
 * @param {ReadonlyArray<string>} args
 * @param {{ readonly env?: object, readonly cwd?: string, readonly input?: string }} [options] `input` is for its stdin
 * @returns {Promise<string>}
 */
export const run = (command, args, { env = {}, cwd, input } = {}) =>
  new Promise((resolve, reject) => {
    const stdio = [input === undefined ? "ignore" : "pipe", "pipe", "pipe"]
    const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio })
    child.stdin?.end(input)
    try {
      if (child.pid !== undefined) os.setPriority(child.pid, 10) // what it starts inherits this
    } catch {} // it is over already
    let stdout = ""
    let tail = ""
    child.stdout.on("data", (chunk) => {
      stdout += chunk
    })
    child.stderr.on("data", (chunk) => {
      tail = (tail + chunk).slice(-4_000)
    })
    child.on("error", (error) =>
      reject(error.code === "ENOENT" ? new Error(`${command} is not on this machine`) : error)
    )
    child.on("close", (code, signal) => {
      if (code === 0) return resolve(stdout)
      const said = tail.trim().split("\n").slice(-3).join(" ") || stdout // venv and go speak on stdout
      reject(new Error(`${command} ${args.slice(0, 3).join(" ")}: ${signal ?? `exit ${code}`}: ${said}`))
    })
  })
