// `npm run test:interop`: the tests against real counterparts, which are installed where they can be.
import {
  installChromium,
  installDashboard,
  installJaeger,
  installLlama,
  installPrometheus,
  installPromtool,
  installPythonOpenAi
} from "../test/interop/counterparts.mjs"
import { install } from "./lib/install.mjs"
import { finish, vitest } from "./lib/steps.mjs"

install()
const counterparts = {
  jaeger: await installJaeger(),
  prometheus: await installPrometheus(),
  dashboard: await installDashboard(),
  python: await installPythonOpenAi(),
  llama: await installLlama(),
  chromium: await installChromium(),
  promtool: await installPromtool()
}
await vitest(["--config", "vitest.interop.config.ts"], {
  UNDERSTUDY_COUNTERPARTS: JSON.stringify(counterparts)
})
for (const [name, { ok, why }] of Object.entries(counterparts)) {
  if (!ok) console.log(`left out: ${name}: ${why}`)
}
finish()
