import { assert, describe, it } from "@effect/vitest"
import { Array as Arr, Chunk, Effect, Either, Exit, Fiber, Option, Scope, Stream, TestClock } from "effect"
import { FallbackStream, Policy } from "../src/index.ts"
import { breaking, broken, busy, stage, transcript } from "./resuming.ts"
import { connection, type Refused, recorded } from "./scripted.ts"

/** Pulls until that fails, `more` times beyond it too. */
const drain = <E>(pull: FallbackStream.Pull<string, E>, more = 0) =>
  Effect.gen(function* () {
    const seen: Array<string> = []
    const ends: Array<Option.Option<E>> = []
    while (ends.length <= more) {
      const next = yield* Effect.either(pull)
      if (Either.isRight(next)) seen.push(...next.right)
      else ends.push(next.left)
    }
    return { seen, ends }
  })

const compiled = (...names: Arr.NonEmptyReadonlyArray<string>) =>
  Policy.compile(
    Either.getOrThrow(Policy.decode({ tiers: Arr.map(names, (name) => ({ name, retry: { times: 0 } })) }))
  )

describe("a stream that is pulled", () => {
  it.effect("gives the same as it does as a Stream, and its run ends with its last element", () =>
    Effect.gen(function* () {
      const { log, tier } = stage()
      const chat = tier("primary", breaking("", "")).pipe(
        FallbackStream.orElse(tier("standby", Stream.make("", "a", "b")))
      )
      const { effect, events } = recorded(
        Effect.gen(function* () {
          const { tier, value } = yield* FallbackStream.pulled(chat)
          const { ends, seen } = yield* drain(value, 2)
          log.push("read")
          assert.deepStrictEqual([tier, seen], ["standby", ["", "a", "b"]])
          assert.deepStrictEqual(ends, [Option.none(), Option.none(), Option.none()])
        })
      )
      yield* Effect.scoped(effect)
      assert.deepStrictEqual(log, ["open primary", "close primary", "open standby", "close standby", "read"])
      assert.strictEqual(events.filter((event) => event._tag === "RunEnded").length, 1)
    })
  )

  it.effect("fails as it broke off, however often it is pulled then, and goes on no second time", () =>
    Effect.gen(function* () {
      const { going, log, tier } = stage()
      const chat = tier("primary", breaking("a")).pipe(
        FallbackStream.orElse(going("second", () => breaking("b"))),
        FallbackStream.orElse(going("third", () => Stream.fail(busy)))
      )
      const { value } = yield* FallbackStream.pulled(chat)
      const { ends, seen } = yield* drain(value, 1)
      assert.deepStrictEqual(seen, ["a", "b"])
      assert.deepStrictEqual(ends, [Option.some(broken), Option.some(broken)])
      assert.strictEqual(log.filter((line) => line.startsWith("open third")).length, 1)
    }).pipe(Effect.scoped)
  )

  it.effect("is let go with its scope where it is not read to its end, also while a pull waits", () =>
    Effect.gen(function* () {
      const { log, tier } = stage()
      const { effect, events } = recorded(
        Effect.gen(function* () {
          const scope = yield* Scope.make()
          const { value } = yield* Scope.extend(
            FallbackStream.pulled(tier("primary", Stream.concat(Stream.make("a"), Stream.never))),
            scope
          )
          assert.deepStrictEqual(Chunk.toArray(yield* value), ["a"])
          const waiting = yield* Effect.fork(value)
          yield* Effect.yieldNow()
          yield* Fiber.interrupt(waiting)
          assert.deepStrictEqual(log, ["open primary"])
          yield* Scope.close(scope, Exit.void)
        })
      )
      yield* effect
      assert.deepStrictEqual(log, ["open primary", "close primary"])
      assert.strictEqual(events.filter((event) => event._tag === "RunEnded").length, 1)
    })
  )

  it.effect("loses nothing to a pull that was interrupted", () =>
    Effect.gen(function* () {
      const { tier } = stage()
      const slow = Stream.concat(
        Stream.make("a"),
        Stream.fromEffect(Effect.delay(Effect.succeed("b"), "1 second"))
      )
      const { value } = yield* FallbackStream.pulled(tier("primary", slow))
      assert.deepStrictEqual(Chunk.toArray(yield* value), ["a"])
      const waiting = yield* Effect.fork(value)
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(waiting)
      const rest = yield* Effect.fork(drain(value))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual((yield* Fiber.join(rest)).seen, ["b"])
    }).pipe(Effect.scoped)
  )
})

describe("a policy's streams that are opened by hand", () => {
  it.effect("are opened once an attempt, in a scope that closes before the next one starts", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const open = ({ name }: Policy.TierPolicy) =>
        Effect.zipRight(
          connection(log, name),
          name === "refuses"
            ? Effect.fail(busy)
            : Stream.toPull(name === "breaks" ? breaking("") : Stream.make(name))
        )
      const answer = FallbackStream.fromPolicyPull(yield* compiled("refuses", "breaks", "answers"), open, {
        isContent: (text) => text !== ""
      })
      assert.deepStrictEqual(Chunk.toArray(yield* Stream.runCollect(answer)), ["answers"])
      const each = ["refuses", "breaks", "answers"].flatMap((name) => [`open ${name}`, `close ${name}`])
      assert.deepStrictEqual(log, each)
    })
  )

  it.effect("let go of what they hold as a success where they ended, and as what they failed with", () =>
    Effect.gen(function* () {
      const exits: Array<Exit.Exit<unknown, unknown>> = []
      const policy = yield* compiled("only")
      const run = (stream: Stream.Stream<string, Refused>) =>
        Stream.runDrain(
          FallbackStream.fromPolicyPull(policy, () =>
            Effect.zipRight(
              Effect.addFinalizer((exit) => Effect.sync(() => exits.push(exit))),
              Stream.toPull(stream)
            )
          )
        )
      yield* run(Stream.make("a"))
      yield* Effect.exit(run(breaking("a")))
      assert.deepStrictEqual(exits, [Exit.void, Exit.fail(broken)])
    })
  )

  it.effect("are gone on with by those that open the rest", () =>
    Effect.gen(function* () {
      const policy = yield* compiled("primary", "standby")
      const answer = FallbackStream.fromPolicyPull(policy, () => Stream.toPull(breaking("a")), {
        transcript,
        resume: ({ name }) =>
          name === "standby" ? (sent) => Stream.toPull(Stream.make(`after ${sent}`)) : undefined
      })
      assert.deepStrictEqual(Chunk.toArray(yield* Stream.runCollect(answer)), ["a", "after a"])
    })
  )
})
