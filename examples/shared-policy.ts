/**
 * One policy behind ten different effects. It is compiled once, so what one of them finds out all of them know: once the
 * first tier's breaker has opened, none of them waits for that tier.
 */
import { Fallback, Policy } from "@understudy/core"
import { Effect, Schema } from "effect"

const Tiers = Policy.struct({ region: Schema.String })

const program = Effect.gen(function* () {
  const policy = yield* Schema.decode(Tiers)({
    deadline: "5s",
    tiers: [
      { name: "near", region: "eu-west", retry: { times: 0 }, breaker: { consecutive: 3 } },
      { name: "far", region: "us-east" }
    ]
  })
  const compiled = yield* Policy.compile(policy)

  let asked = 0
  const query = (region: string, name: string) =>
    Effect.suspend(() => {
      if (region === "eu-west") {
        asked++
        return Effect.fail("region is down")
      }
      return Effect.succeed(`${name} from ${region}`)
    })
  const route = (name: string) => Fallback.fromPolicy(compiled, ({ region }) => query(region, name))

  const names = [
    "users",
    "orders",
    "prices",
    "stock",
    "reviews",
    "carts",
    "offers",
    "taxes",
    "routes",
    "images"
  ]
  const answers = yield* Effect.forEach(names, route)
  console.log(answers[0], "...", answers.at(-1))
  console.log(`eu-west was asked ${asked} times`)
})

await Effect.runPromise(program)
