// `npm start`: installs what is missing, bundles the gateway and runs it.
import { spawn } from "node:child_process"
import { bundle } from "./lib/bundle.mjs"
import { install } from "./lib/install.mjs"

install()
const program = await bundle()
const args = process.argv.length > 2 ? process.argv.slice(2) : ["serve"]
const gateway = spawn(process.execPath, ["--enable-source-maps", program, ...args], { stdio: "inherit" })
// The gateway drains on a signal; this process only waits for it. Ctrl-C reaches them both.
process.on("SIGTERM", () => gateway.kill("SIGTERM"))
process.on("SIGINT", () => process.stdin.isTTY || gateway.kill("SIGINT"))
gateway.on("exit", (code) => process.exit(code ?? 1))
