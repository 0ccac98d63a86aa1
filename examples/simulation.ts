/**
 * What a policy would have done in an outage, as a table and a picture. The same seed gives the same bytes.
 * `understudy simulate` is this as a command.
 */
import { mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Cli } from "@understudy/gateway"
import { Effect } from "effect"

const folder = mkdtempSync(join(tmpdir(), "simulation-"))
const file = (name: string, text: string) => {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}

const policy = file(
  "understudy.yaml",
  `
providers: { near: { kind: sandbox }, far: { kind: sandbox } }
routes:
  chat:
    tiers:
      - { name: primary, provider: near, model: large, timeout: 6s, retry: { times: 1 } }
      - { name: standby, provider: far, model: small, timeout: 6s }
`
)
const outage = file(
  "outage.yaml",
  `
for: 10m
load: { rate: 5, arrivals: even }
upstreams: { near: { latency: 900ms }, far: { latency: 400ms } }
events: [ { at: 3m, for: 4m, of: near, failures: { hang: 1 } } ]
`
)
const picture = join(folder, "simulation.svg")
const terminal: Cli.Terminal = { env: {}, isTty: false, print: console.log }

await Effect.runPromise(Cli.run(["simulate", policy, "--outage", outage, "--svg", picture], terminal))
console.error(`the picture is ${picture}`)
