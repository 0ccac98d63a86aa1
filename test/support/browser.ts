import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Duplex } from "node:stream"
import { Effect, type Scope } from "effect"

/** A tab of a headless Chromium, driven over its own protocol by a pipe: no port, no library. */
export interface Tab {
  readonly send: (method: string, params?: object) => Promise<Readonly<Record<string, unknown>>>
  /** Opens a page and waits until it has loaded. */
  readonly open: (url: string) => Promise<void>
  /** What an expression comes to in the page. */
  readonly evaluate: (expression: string) => Promise<unknown>
  /** What the page complained of: errors, and what its policy of content kept from it. */
  readonly complaints: ReadonlyArray<string>
}

interface Message {
  readonly id?: number
  readonly method?: string
  readonly params?: Readonly<Record<string, unknown>>
  readonly result?: Readonly<Record<string, unknown>>
  readonly error?: { readonly message: string }
}

/** Starts `chromium` with one tab; the scope's end closes it. */
export const tab = (chromium: string): Effect.Effect<Tab, never, Scope.Scope> =>
  Effect.gen(function* () {
    const profile = mkdtempSync(join(tmpdir(), "understudy-chromium-"))
    const child = spawn(
      chromium,
      [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--no-first-run",
        "--disable-background-networking",
        "--remote-debugging-pipe",
        `--user-data-dir=${profile}`
      ],
      { detached: true, stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] }
    )
    const exited = new Promise((resolve) => child.on("exit", resolve))
    yield* Effect.addFinalizer(() =>
      Effect.promise(async () => {
        // With all that it has started: they would go on writing into the profile.
        process.kill(-child.pid!, "SIGKILL")
        await exited
        rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
      })
    )
    const [, , , input, output] = child.stdio as unknown as ReadonlyArray<Duplex>
    const pending = new Map<number, (message: Message) => void>()
    const complaints: Array<string> = []
    let loaded = () => {}
    let text = ""
    output!.on("data", (chunk: Buffer) => {
      const parts = (text + chunk.toString()).split("\0")
      text = parts.pop() ?? ""
      for (const part of parts) {
        const message: Message = JSON.parse(part)
        if (message.id !== undefined) pending.get(message.id)?.(message)
        if (message.method === "Page.loadEventFired") loaded()
        if (message.method === "Runtime.exceptionThrown" || message.method === "Log.entryAdded") {
          complaints.push(JSON.stringify(message.params))
        }
      }
    })

    let last = 0
    const call = (method: string, params: object = {}, sessionId?: string) =>
      new Promise<Readonly<Record<string, unknown>>>((resolve, reject) => {
        const id = ++last
        pending.set(id, ({ error, result = {} }) => {
          pending.delete(id)
          if (error === undefined) resolve(result)
          else reject(new Error(`${method}: ${error.message}`))
        })
        input!.write(`${JSON.stringify({ id, method, params, ...(sessionId && { sessionId }) })}\0`)
      })

    const send = yield* Effect.promise(async () => {
      const { targetId } = await call("Target.createTarget", { url: "about:blank" })
      const { sessionId } = await call("Target.attachToTarget", { targetId, flatten: true })
      const send: Tab["send"] = (method, params) => call(method, params, String(sessionId))
      for (const domain of ["Page", "Runtime", "Log"]) await send(`${domain}.enable`)
      return send
    })
    return {
      send,
      complaints,
      open: async (url) => {
        const done = new Promise<void>((resolve) => {
          loaded = resolve
        })
        await send("Page.navigate", { url })
        await done
      },
      evaluate: async (expression) => {
        const { exceptionDetails, result } = await send("Runtime.evaluate", {
          expression,
          awaitPromise: true,
          returnByValue: true
        })
        if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails))
        return (result as { readonly value?: unknown }).value
      }
    }
  })
