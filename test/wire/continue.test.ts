import { assert, describe, it } from "@effect/vitest"
import { Effect, Supervisor } from "effect"
import { type Answer, ask, call, chatBody } from "../support/caller.ts"
import { eventually } from "../support/eventually.ts"
import { chat, gateway, type Running } from "../support/gateway.ts"
import {
  answer,
  type Behaviour,
  content,
  fails,
  finish,
  held,
  type Piece,
  raw,
  reset,
  role,
  silence,
  stream,
  type Wall,
  wall
} from "../support/wall.ts"

const request = { body: chatBody({ stream: true }) }
const interrupted = '"code":"stream_interrupted"}}\n\n'

const prefill = { provider: "prefill: true", tier: "retry: { times: 0 }, continue: prefill" }
const restart = { tier: "retry: { times: 0 }, continue: restart" }

/** A gateway over an upstream for each of these behaviours. */
const over = (options: Parameters<typeof chat>[1], ...behaviours: ReadonlyArray<Behaviour>) =>
  Effect.gen(function* () {
    const walls = yield* Effect.forEach(behaviours, (behaviour) =>
      Effect.tap(wall, ({ script }) => Effect.sync(() => script(behaviour)))
    )
    const running = yield* gateway(
      chat(
        walls.map(({ url }) => url),
        options
      )
    )
    return { ...running, walls }
  })

/** What a client of OpenAI's makes of the stream. */
const read = ({ text }: Pick<Answer, "text">) => {
  const chunks = [...text.matchAll(/^data: (\{.*)$/gm)].map(([, json]) => JSON.parse(json!))
  const deltas = chunks.flatMap(({ choices = [] }) => choices.map(({ delta }: { delta: object }) => delta))
  return {
    said: deltas.map(({ content = "" }) => content).join(""),
    models: [...new Set(chunks.flatMap(({ model = [] }) => model))],
    roles: deltas.filter(({ role }) => role !== undefined).length,
    ends: chunks.flatMap(({ choices = [] }) => choices).filter(({ finish_reason }) => finish_reason !== null)
      .length,
    dones: text.split("data: [DONE]").length - 1
  }
}

const assertWhole = (served: Answer, said: string) => {
  assert.deepStrictEqual([served.status, served.whole], [200, true])
  assert.deepStrictEqual(read(served), { said, models: ["model1"], roles: 1, ends: 1, dones: 1 })
}

const assertCut = (served: Answer, said: string) => {
  assert.deepStrictEqual([served.status, read(served).said, read(served).dones], [200, said, 0])
  assert.isTrue(served.text.endsWith(interrupted))
}

const lines = ({ log }: Pick<Running, "log">) =>
  log.map((line) =>
    [line.message, line["tier"], line["outcome"], line["error_type"]]
      .filter((word) => word !== undefined)
      .join(" ")
  )

const lastMessage = ({ received }: Wall) => JSON.parse(String(received[0]?.body)).messages.at(-1)

const hel = [role, content("Hel")]
const begins = stream(hel, "reset")
const hello = stream([role, content("He"), content("llo"), finish])

describe("a stream that breaks off, and a tier that says how it goes on", () => {
  it.scopedLive("prefill: it is given what was sent, and its words come after that", () =>
    Effect.gen(function* () {
      const running = yield* over(prefill, begins, stream([role, content("lo"), finish]))
      const served = yield* ask(running.url, request)
      assertWhole(served, "Hello")
      assert.deepStrictEqual(lastMessage(running.walls[1]!), { role: "assistant", content: "Hel" })
      assert.deepStrictEqual(
        [
          served.headers["x-understudy-tier"],
          served.headers["x-understudy-model"],
          served.headers["x-understudy-attempts"]
        ],
        ["tier1", "model1", "1"]
      )
      yield* eventually(() => running.log.length === 3)
      assert.deepStrictEqual(lines(running), [
        "attempt tier1 failure connection",
        "attempt tier2 success",
        "run tier2 success"
      ])
      const { attempts, fallback, served_by } = running.log[2]!
      assert.deepStrictEqual([attempts, fallback, served_by], [2, true, "tier2"])
    })
  )

  it.scopedLive("restart: it is asked the same, and only what is new of its answer is passed on", () =>
    Effect.gen(function* () {
      const { url, walls } = yield* over(restart, begins, hello)
      assertWhole(yield* ask(url, request), "Hello")
      const [first, second] = walls.map(({ received }) => String(received[0]?.body))
      assert.strictEqual(second, first?.replace("model1", "model2"))
    })
  )

  const sent = [role, content("Hel"), content("lo 🎭"), finish].map((piece) => piece("model1")).join("")

  it.scopedLive("wherever the connection breaks: one answer, as if nothing had", () =>
    Effect.gen(function* () {
      const { url, walls } = yield* over(
        { ...restart, tier1: "breaker: { consecutive: 1000000 }" },
        silence,
        stream([role, content("H"), content("ello 🎭"), finish])
      )
      const bytes = Buffer.from(sent)
      for (let cut = 0; cut <= bytes.length; cut += 13) {
        walls[0]!.script((response) => {
          response.writeHead(200, { "content-type": "text/event-stream" })
          response.write(bytes.subarray(0, cut), () => response.destroy())
        })
        const served = yield* ask(url, request)
        const { models, ...rest } = read(served)
        assert.deepStrictEqual(rest, { said: "Hello 🎭", roles: 1, ends: 1, dones: 1 })
        assert.strictEqual(models.length, 1)
      }
    })
  )

  const breaks: Readonly<Record<string, readonly [Behaviour, string, string?]>> = {
    "the end of the stream": [stream(hel, "eof"), "failure stream_truncated"],
    "[DONE] too soon": [stream(hel), "failure stream_truncated"],
    "an error in the stream": [
      stream([...hel, raw('data: {"error":{"message":"busy","type":"server_error","code":null}}\n\n')]),
      "failure server_error"
    ],
    "silence until idle": [stream(hel, "stall"), "timeout timeout", "idle: 60ms"],
    "more than maxStream": [
      stream([...hel, ...Array.from({ length: 2000 }, () => content(""))], "stall"),
      "timeout timeout",
      "maxStream: 60ms"
    ]
  }
  for (const [how, [behaviour, seen, tier1]] of Object.entries(breaks)) {
    it.scopedLive(`after ${how}, and the connection is given up`, () =>
      Effect.gen(function* () {
        const running = yield* over({ ...restart, tier1 }, behaviour, hello)
        assertWhole(yield* ask(running.url, request), "Hello")
        yield* eventually(() => running.log.length === 3)
        assert.deepStrictEqual(lines(running), [
          `attempt tier1 ${seen}`,
          "attempt tier2 success",
          "run tier2 success"
        ])
        if (tier1 !== undefined) yield* eventually(() => running.walls[0]!.received[0]?.abandoned === true)
      })
    )
  }

  it.scopedLive("twice, each by the next tier", () =>
    Effect.gen(function* () {
      const again = stream([role, content("Hell")], "reset")
      const running = yield* over(restart, begins, again, stream([role, content("Hello"), finish]))
      assertWhole(yield* ask(running.url, request), "Hello")
      yield* eventually(() => running.log.length === 4)
      assert.deepStrictEqual(lines(running), [
        "attempt tier1 failure connection",
        "attempt tier2 failure connection",
        "attempt tier3 success",
        "run tier3 success"
      ])
    })
  )

  const sayNothingNew: Readonly<Record<string, readonly [Behaviour, string, string?]>> = {
    "answers 503": [fails(503), "failure overloaded"],
    "answers 400": [fails(400), "ignored unsupported"],
    "is reset": [reset, "failure connection"],
    "breaks off itself before that": [stream([role, content("He")], "reset"), "failure connection"],
    "says something else": [stream([role, content("Hey")]), "ignored stream_diverged"],
    "ends sooner": [stream([role, content("He"), finish]), "ignored stream_diverged"],
    "says no more than was said until firstToken": [
      stream(hel, "stall"),
      "timeout timeout",
      ", firstToken: 1s"
    ]
  }
  for (const [what, [behaviour, seen, bound = ""]] of Object.entries(sayNothingNew)) {
    it.scopedLive(
      `not by one that ${what}: the next is asked, and where there is none the caller is told`,
      () =>
        Effect.gen(function* () {
          const options = { tier: `${restart.tier}${bound}` }
          const three = yield* over(options, begins, behaviour, hello)
          assertWhole(yield* ask(three.url, request), "Hello")
          yield* eventually(() => three.log.length === 4)
          assert.deepStrictEqual(lines(three).slice(1), [
            `attempt tier2 ${seen}`,
            "attempt tier3 success",
            "run tier3 success"
          ])
          const two = yield* over(options, begins, behaviour)
          assertCut(yield* ask(two.url, request), "Hel")
          yield* eventually(() => two.log.length === 3)
          assert.deepStrictEqual(lines(two).slice(1), [
            `attempt tier2 ${seen}`,
            "run tier1 failure connection"
          ])
        })
    )
  }

  const chunk = (delta: object, index = 0): Piece =>
    raw(`data: ${JSON.stringify({ choices: [{ index, delta, finish_reason: null }] })}\n\n`)
  const notGoneOn: Readonly<Record<string, readonly [ReadonlyArray<Piece>, object?]>> = {
    "in a call of a tool": [
      [...hel, chunk({ tool_calls: [{ index: 0, id: "call_1", function: { name: "f", arguments: '{"a' } }] })]
    ],
    "in a second choice": [[...hel, chunk({ content: "B" }, 1)], { n: 2 }],
    "in the first of two choices": [hel, { n: 2 }],
    "in a refusal": [[...hel, chunk({ refusal: "No" })]]
  }
  for (const [where, [pieces, fields]] of Object.entries(notGoneOn)) {
    it.scopedLive(`not ${where}`, () =>
      Effect.gen(function* () {
        for (const options of [prefill, restart]) {
          const { url, walls } = yield* over(options, stream(pieces, "reset"), hello)
          const served = yield* ask(url, { body: chatBody({ stream: true, ...fields }) })
          assert.isTrue(served.text.endsWith(interrupted))
          assert.deepStrictEqual([read(served).dones, walls[1]!.received.length], [0, 0])
        }
      })
    )
  }

  it.scopedLive("until the caller leaves: then nobody is asked any more, and all is closed", () =>
    Effect.gen(function* () {
      const [first, second] = [held(), held()]
      const running = yield* over(restart, first.behaviour, second.behaviour, answer())
      const [one, two, three] = running.walls
      const { leave, text } = yield* call(running.url, request)
      yield* eventually(() => one!.received.length === 1)
      first.send(role, content("Hello"))
      yield* eventually(() => text().includes("Hello"))
      first.end()
      yield* eventually(() => two!.received.length === 1)
      second.send(role, content("Hel"))
      leave()
      yield* eventually(() => two!.received[0]?.abandoned === true)
      yield* eventually(() => running.log.length === 3)
      assert.deepStrictEqual(lines(running).slice(1), [
        "attempt tier2 interrupted interrupted",
        "run tier1 cancelled interrupted"
      ])
      assert.strictEqual(three!.received.length, 0)
    })
  )

  it.scopedLive("and thirty callers that leave meanwhile leave no socket and no fiber", () =>
    Effect.gen(function* () {
      const supervisor = yield* Supervisor.track
      const tier = `${restart.tier}, breaker: { consecutive: 1000 }`
      const running = yield* Effect.supervised(over({ tier }, begins, stream(hel, "stall")), supervisor)
      const [first, second] = running.walls
      const fibers = Effect.map(supervisor.value, ({ length }) => length)
      const before = yield* fibers
      const calls = yield* Effect.all(Array.from({ length: 30 }, () => call(running.url, request)))
      yield* eventually(() => second!.received.length === 30)
      assert.isAtLeast(yield* fibers, before + 30)
      for (const { leave } of calls) leave()
      yield* eventually(() => second!.sockets() === 0 && first!.sockets() === 0)
      const runs = () => running.log.filter(({ message }) => message === "run")
      yield* eventually(() => runs().length === 30)
      assert.isTrue(runs().every((line) => line["outcome"] === "cancelled"))
      yield* Effect.repeat(fibers, { until: (now) => now === before })
    })
  )

  it.scopedLive("as long as the breaker of the one that goes on lets it", () =>
    Effect.gen(function* () {
      const running = yield* over(
        { tier: `${restart.tier}, breaker: { consecutive: 2, openFor: 1h }` },
        begins,
        fails(503),
        hello
      )
      for (let call = 0; call < 2; call++) assertWhole(yield* ask(running.url, request), "Hello")
      assert.deepStrictEqual(
        running.log
          .filter(({ message }) => message === "breaker")
          .map((line) => `${line["tier"]} ${line["from"]}-${line["to"]}`),
        ["tier1 closed-open", "tier2 closed-open"]
      )
      // The tier that ended the others' answers has heard of nothing but successes.
      assert.strictEqual((yield* ask(running.url, request)).headers["x-understudy-tier"], "tier3")
    })
  )
})

describe("a tier whose streams break off", () => {
  it.scopedLive("opens its breaker, though each had begun well", () =>
    Effect.gen(function* () {
      const running = yield* over(
        { tier: "retry: { times: 0 }, breaker: { consecutive: 3, openFor: 1h }" },
        begins,
        hello
      )
      for (let call = 0; call < 3; call++) assertCut(yield* ask(running.url, request), "Hel")
      yield* eventually(() => running.log.some(({ message }) => message === "breaker"))
      const served = yield* ask(running.url, request)
      assert.deepStrictEqual([read(served).said, served.headers["x-understudy-tier"]], ["Hello", "tier2"])
      assert.strictEqual(running.walls[0]!.received.length, 3)
    })
  )
})
