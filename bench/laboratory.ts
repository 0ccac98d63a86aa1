import { resourceUsage } from "node:process"
import { Policy } from "@understudy/core"
import { Script, Simulation } from "@understudy/core/testing"
import { Effect, Either } from "effect"

const policy = Either.getOrThrow(
  Policy.decode({
    deadline: "45s",
    tiers: [
      { name: "primary", timeout: "20s", attemptTimeout: "12s" },
      { name: "standby", timeout: "12s" },
      { name: "baseline", timeout: "8s" }
    ],
    alert: { tier: "primary" }
  })
)

const script = (rate: number): Script.Script =>
  Either.getOrThrow(
    Script.decode({
      for: "1h",
      load: { rate },
      upstreams: {
        primary: { latency: { p50: "900ms", p95: "4s" }, failures: { overloaded: 0.01, hang: 0.002 } },
        standby: {
          latency: { p50: "1.2s", p95: "5s" },
          failures: { rate_limited: { share: 0.02, retryAfter: "1s" } }
        },
        baseline: { latency: "300ms..900ms" }
      },
      events: [
        { at: "10m", for: "20m", of: "primary", every: "1m", down: "20s", failures: { server_error: 1 } },
        { at: "35m", for: "5m", of: ["primary", "standby"], failures: { hang: 0.5, connection: 0.5 } }
      ]
    })
  )

const seconds = (): number => {
  const { systemCPUTime, userCPUTime } = resourceUsage()
  return (systemCPUTime + userCPUTime) / 1e6
}

let shown = ""

const onProgress = (share: number): void => {
  const text = `\r${Math.floor(share * 100)} %`
  if (text !== shown) process.stderr.write(text)
  shown = text
}

const goals = { seconds: 60, megabytes: 500 }

/** An hour of three tiers, the first of which flaps: what it takes to simulate, and whether it grows with the runs. */
export const main = async (): Promise<void> => {
  let met = true
  for (const rate of [12.5, 25, 50]) {
    const [from, began] = [seconds(), performance.now()]
    const { availability, runs } = await Effect.runPromise(
      Simulation.runEffect(Simulation.policy(policy), {
        script: script(rate),
        onProgress
      })
    )
    const [cpu, wall] = [seconds() - from, (performance.now() - began) / 1000]
    const megabytes = resourceUsage().maxRSS / 1024
    met &&= cpu < goals.seconds && megabytes < goals.megabytes
    console.log(
      `\r${runs} runs: ${cpu.toFixed(1)} s of CPU (${wall.toFixed(1)} s in all), ${((cpu / runs) * 1e6).toFixed(0)} µs a run, ` +
        `at most ${megabytes.toFixed(0)} MB; availability ${availability}`
    )
  }
  console.log(`${met ? "met" : "MISSED"}: under ${goals.seconds} s and ${goals.megabytes} MB`)
  if (!met) process.exitCode = 1
}
