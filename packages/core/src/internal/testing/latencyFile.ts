import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import type { Latency } from "../../testing/Script.ts"
import { formatDuration, parseDuration } from "../policy/durationText.ts"
import { DurationText } from "../policy/fields.ts"

type Plain = Extract<Latency, { readonly _tag: "Constant" | "Uniform" }>
type Quantiles = Extract<Latency, { readonly _tag: "Quantiles" }>

export const constant = (time: Duration.DurationInput): Plain => ({
  _tag: "Constant",
  time: Duration.decode(time)
})

const isPlain = (value: unknown): value is Plain =>
  Predicate.isTagged(value, "Constant") || Predicate.isTagged(value, "Uniform")
const isQuantiles = (value: unknown): value is Quantiles => Predicate.isTagged(value, "Quantiles")

/** `800ms`, or `300ms..900ms`. */
const Plain = Schema.transformOrFail(Schema.String, Schema.declare(isPlain), {
  strict: true,
  decode: (text, _, ast) => {
    const [from, to, ...more] = text.split("..").map((part) => Option.getOrUndefined(parseDuration(part)))
    const wrong = ParseResult.fail(new ParseResult.Type(ast, text))
    if (from === undefined || more.length > 0) return wrong
    if (!text.includes("..")) return ParseResult.succeed(constant(from))
    return to === undefined || Duration.lessThan(to, from)
      ? wrong
      : ParseResult.succeed({ _tag: "Uniform" as const, from, to })
  },
  encode: (latency) =>
    ParseResult.succeed(
      latency._tag === "Constant"
        ? formatDuration(latency.time)
        : `${formatDuration(latency.from)}..${formatDuration(latency.to)}`
    )
}).annotations({ description: "a duration such as 800ms, or a range such as 300ms..900ms" })

const percents = [1, 5, 10, 25, 50, 75, 90, 95, 99, 99.9] as const

const Points = Schema.Struct(
  Object.fromEntries(percents.map((percent) => [`p${percent}`, Schema.optional(DurationText)]))
).pipe(
  Schema.filter((points) => {
    const times = percents.flatMap((percent) => points[`p${percent}`] ?? [])
    if (times.length < 2) return "a distribution of one percentile; give two or more, such as p50 and p95"
    if (times.some((time) => Duration.toMillis(time) === 0)) return "a percentile of 0s; give it some time"
    return times.every((time, index) => index === 0 || Duration.greaterThanOrEqualTo(time, times[index - 1]!))
      ? undefined
      : "a percentile below a lower one; let them grow"
  })
)

/** `{ p50: 800ms, p95: 3s }`. */
const Quantiles = Schema.transform(Points, Schema.declare(isQuantiles), {
  strict: true,
  decode: (points) => ({
    _tag: "Quantiles" as const,
    points: percents.flatMap((percent) => {
      const time = points[`p${percent}`]
      return time === undefined ? [] : [[percent, time] as const]
    }) as never
  }),
  encode: (latency) => Object.fromEntries(latency.points.map(([percent, time]) => [`p${percent}`, time]))
})

export const LatencyFile: Schema.Schema<
  Latency,
  string | { readonly [percentile: string]: string | undefined }
> = Schema.Union(Plain, Quantiles)
