import { assert, describe, it } from "@effect/vitest"
import { Cause, Chunk, Effect, ExecutionPlan, Exit, Layer, Schedule } from "effect"
import { Fallback, Tier } from "../src/index.ts"
import { classify, nextTier, type Refused, retryable, scripted } from "./scripted.ts"
import { ask, every, Model, model, type Script, sideBySide, tier, twice } from "./sideBySide.ts"

describe("ExecutionPlan and tiers alike", () => {
  it.effect("the first that answers is the last that is asked", () =>
    Effect.gen(function* () {
      const [p, t] = twice([{ ok: "a" }])
      const plan = ExecutionPlan.make({ provide: model(p.a) }, { provide: model(p.b) })
      const exits = yield* sideBySide(
        Effect.withExecutionPlan(ask, plan),
        tier("a", t.a).pipe(Fallback.orElse(tier("b", t.b)))
      )
      assert.deepStrictEqual(exits, [Exit.succeed("a"), Exit.succeed("a")])
      assert.deepStrictEqual(
        [p.calls, t.calls],
        [
          [[0], []],
          [[0], []]
        ]
      )
    })
  )

  it.effect("the first one's retries wait as they are told", () =>
    Effect.gen(function* () {
      const [p, t] = twice([retryable])
      const plan = ExecutionPlan.make(
        { provide: model(p.a), attempts: 3, schedule: Schedule.spaced("1 second") },
        { provide: model(p.b) }
      )
      yield* sideBySide(
        Effect.withExecutionPlan(ask, plan),
        tier("a", t.a, { backoff: every("1 second", 2) }).pipe(Fallback.orElse(tier("b", t.b)))
      )
      assert.deepStrictEqual(
        [p.a.calls, t.a.calls],
        [
          [0, 1000, 2000],
          [0, 1000, 2000]
        ]
      )
    })
  )

  it.effect("a layer is built for every attempt, and taken down before anything else starts", () =>
    Effect.gen(function* () {
      const side = () => {
        const log: Array<string> = []
        const layer = (name: string, script: Script) =>
          Layer.scoped(
            Model,
            Effect.acquireRelease(
              Effect.sync(() => {
                log.push(`open ${name}`)
                return { ask: script.effect }
              }),
              () => Effect.sync(() => log.push(`close ${name}`))
            )
          )
        return { log, a: layer("a", scripted([retryable])), b: layer("b", scripted([{ ok: "b" }])) }
      }
      const [p, t] = [side(), side()]
      const tier = (name: string, times: number) =>
        Tier.make({ name, effect: ask, classify, backoff: every("1 second", times) })
      yield* sideBySide(
        Effect.withExecutionPlan(
          ask,
          ExecutionPlan.make(
            { provide: p.a, attempts: 2, schedule: Schedule.spaced("1 second") },
            { provide: p.b }
          )
        ),
        tier("a", 1).pipe(Tier.provide(t.a), Fallback.orElse(tier("b", 0).pipe(Tier.provide(t.b))))
      )
      const log = ["open a", "close a", "open a", "close a", "open b", "close b"]
      assert.deepStrictEqual([p.log, t.log], [log, log])
    })
  )

  it.effect("a layer that cannot be built is a failure like any other", () =>
    Effect.gen(function* () {
      const broken = Layer.fail("no socket" as const)
      const well = Layer.succeed(Model, { ask: Effect.succeed("b") })
      const plan = ExecutionPlan.make(
        { provide: Layer.merge(broken, model(scripted([{ ok: "a" }]))) },
        { provide: well }
      )
      const program: Effect.Effect<string, Refused | "no socket", Model> = ask
      const exits = yield* sideBySide(
        Effect.withExecutionPlan(ask, plan),
        Tier.make({ name: "a", effect: program }).pipe(
          Tier.provide(Layer.merge(broken, well)),
          Fallback.orElse(Tier.make({ name: "b", effect: ask }).pipe(Tier.provide(well)))
        )
      )
      assert.deepStrictEqual(exits, [Exit.succeed("b"), Exit.succeed("b")])
    })
  )

  it.effect("a defect and an interruption ask nobody else", () =>
    Effect.gen(function* () {
      for (const end of [Effect.die("bug"), Effect.interrupt]) {
        const b = scripted([{ ok: "b" }])
        const a = Layer.succeed(Model, { ask: end })
        const plan = ExecutionPlan.make({ provide: a, attempts: 3 }, { provide: model(b) })
        const exits = yield* sideBySide(
          Effect.withExecutionPlan(ask, plan),
          Tier.make({ name: "a", effect: ask, backoff: every("1 second", 2) }).pipe(
            Tier.provide(a),
            Fallback.orElse(tier("b", b))
          )
        )
        for (const exit of exits) {
          assert(Exit.isFailure(exit))
          assert.deepStrictEqual(
            [Chunk.toArray(Cause.defects(exit.cause)), Cause.isInterruptedOnly(exit.cause)],
            end === Effect.interrupt ? [[], true] : [["bug"], false]
          )
        }
        assert.deepStrictEqual(b.calls, [])
      }
    })
  )

  it.effect("plans merge as ladders are composed, in order", () =>
    Effect.gen(function* () {
      const [p, t] = twice([nextTier], [nextTier])
      const c = scripted([{ ok: "c" }])
      const plan = ExecutionPlan.merge(
        ExecutionPlan.make({ provide: model(p.a) }, { provide: model(p.b) }),
        ExecutionPlan.make({ provide: model(c) })
      )
      const exits = yield* sideBySide(
        Effect.withExecutionPlan(ask, plan),
        tier("a", t.a).pipe(Fallback.orElse(tier("b", t.b)), Fallback.orElse(tier("c", c)))
      )
      assert.deepStrictEqual(exits, [Exit.succeed("c"), Exit.succeed("c")])
    })
  )
})
