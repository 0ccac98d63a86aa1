import * as Effect from "effect/Effect"
import { command, load, single, UsageError } from "./command.ts"

export const simulate = command({
  name: "simulate",
  files: "[FILE…]",
  summary: "simulate an outage of a route's upstreams, in virtual time; compare several files",
  fails: "a file or the script cannot be used, or OUT cannot be written",
  flags: {
    outage: {
      type: "string",
      value: "SCRIPT",
      about: "what upstreams do, as YAML; default: a bad half hour"
    },
    load: { type: "string", value: "LOAD", about: "requests per second, or a file; default: the script's" },
    route: { type: "string", value: "NAME", about: "default: the first" },
    seed: {
      type: "string",
      value: "N",
      about: "of the random numbers; the same seed gives the same bytes. Default: 1"
    },
    sweep: {
      type: "string",
      value: "PATH=A..B",
      about: "such as routes.chat.tiers.primary.timeout=5s..30s: a row for each of 11 values"
    },
    json: { type: "boolean", about: "print JSON" },
    html: { type: "string", value: "OUT", about: "also write a page with a picture" },
    svg: { type: "string", value: "OUT", about: "also write only the picture" }
  },
  run: ({ files, values }, terminal) =>
    Effect.gen(function* () {
      const seed = values.seed === undefined ? 1 : Number(values.seed)
      if (!Number.isSafeInteger(seed)) return yield* new UsageError({ reason: "--seed takes an integer" })
      const paths = files.length > 1 ? files : [yield* single(files)]
      const sources = yield* Effect.forEach(paths, (path) => load(path, terminal))
      // Loaded on demand, since the server does not need it.
      const { simulated } = yield* Effect.promise(() => import("./later.ts"))
      return yield* simulated(sources, { ...values, seed }, terminal)
    })
})
