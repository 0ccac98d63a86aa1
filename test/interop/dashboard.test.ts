import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import { Dashboard } from "@understudy/otel"
import { Effect, Schedule } from "effect"
import { dashboardPicture } from "../../packages/gateway/test/drawing/dashboard.ts"
import { ask, chatBody } from "../support/caller.ts"
import { answer, type Behaviour, fails, wall } from "../support/wall.ts"
import { is, scraped } from "./scraped.ts"
import { withCounterpart } from "./support.ts"

const pictured = process.env["UNDERSTUDY_PICTURES"] !== undefined

/** For the guide each of its three parts goes on for two minutes, and otherwise no longer than it takes to see it. */
const { least, openFor, over, window } = pictured
  ? { least: 120, window: 15, openFor: "20s", over: "1m" }
  : { least: 0, window: 4, openFor: "1s", over: "4s" }

/** An upstream that takes its time, each request another one. */
const takes = (millis: number, then: Behaviour): Behaviour => {
  let calls = 0
  return (response, received) => {
    calls++
    setTimeout(() => then(response, received), millis * (1 + ((calls * 7) % 20) / 10))
  }
}

const words = (count: number) => answer(Array.from({ length: count }, () => "word "))

withCounterpart("promtool", () => {
  it.scopedLive(
    "the dashboard shows that the first tier fails, who serves meanwhile, and that it is over",
    () =>
      Effect.gen(function* () {
        const [first, second] = [yield* wall, yield* wall]
        const tier = (name: string, model: string) => ({
          name,
          model,
          provider: name,
          breaker: { openFor }
        })
        const { gateway, range, until } = yield* scraped(
          JSON.stringify({
            server: { drain: "1s" },
            providers: {
              lead: { kind: "openai", baseUrl: first.url },
              standby: { kind: "openai", baseUrl: second.url }
            },
            routes: {
              chat: {
                tiers: [tier("lead", "large"), tier("standby", "small")],
                alert: { tier: "lead", over, atLeast: 5 }
              }
            }
          })
        )
        const works = takes(200, words(40))
        first.script(works)
        second.script(takes(80, words(15)))
        let calls = 0
        const asks = Effect.suspend(() => ask(gateway.url, { body: chatBody({ stream: calls++ % 3 === 0 }) }))
        yield* Effect.forkScoped(Effect.repeat(Effect.fork(asks), Schedule.spaced("80 millis")))

        const panels = Dashboard.dashboard.panels.map((panel) => ({
          panel,
          expr: panel.targets[0]?.expr.replaceAll("$__rate_interval", `${window}s`) ?? ""
        }))
        const exprOf = (title: string) => panels.find(({ panel }) => panel.title === title)?.expr ?? ""
        const shows = (alert: number, fallbacks: number) =>
          Effect.all([
            Effect.sleep(`${least} seconds`),
            until(exprOf("Alerts of the policies"), is(alert)),
            until(exprOf("Fallback rate by route"), is(fallbacks))
          ])
        // What a rate says is whole once its window is.
        yield* Effect.sleep(`${window} seconds`)
        const start = Math.floor(Date.now() / 1000)
        const since = () => Date.now() - start * 1000
        yield* shows(0, 0)
        const from = since()
        first.script(takes(30, fails(503)))
        yield* shows(1, 1)
        const to = since()
        first.script(works)
        yield* shows(0, 0)

        const seconds = Math.floor(since() / 1000)
        const shown = yield* Effect.forEach(panels, ({ expr, panel }) =>
          Effect.map(range(expr, { start, end: start + seconds }), (ranges) => {
            assert.isNotEmpty(ranges, panel.title)
            return [panel, ranges] as const
          })
        )
        const svg = dashboardPicture({
          panels: shown,
          start,
          seconds,
          down: { upstream: "lead", from, to },
          window
        })
        for (const { panel } of panels) assert.include(svg, `>${panel.title}</text>`)
        // The breaker of the first tier was open, and the alert on it fired.
        assert.lengthOf([...svg.matchAll(/class="bad fill" d="M/g)], 2)
        if (pictured) writeFileSync(join(import.meta.dirname, "../../docs/dashboard.svg"), svg)
      }),
    600_000
  )
})
