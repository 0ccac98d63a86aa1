import * as Policy from "@understudy/core/Policy"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { isRecord } from "effect/Predicate"
import * as Schema from "effect/Schema"
import { UsageError } from "../command/command.ts"

/** One parameter of a file, and the values that it is given one after the other. */
interface Sweep {
  readonly parameter: string
  readonly path: ReadonlyArray<string>
  readonly values: ReadonlyArray<string | number>
}

const steps = 11

/** Reads `routes.chat.tiers.0.timeout=5s..30s`: durations or numbers, in eleven even steps. */
export const parseSweep = (text: string): Effect.Effect<Sweep, UsageError> => {
  const [, parameter, from, to] = /^([^=\s]+)=(.+)\.\.(.+)$/.exec(text) ?? []
  const values = from === undefined || to === undefined ? undefined : (times(from, to) ?? numbers(from, to))
  return parameter === undefined || values === undefined
    ? new UsageError({
        reason: `cannot sweep "${text}"`,
        remedy: "write it as routes.chat.tiers.0.timeout=5s..30s"
      })
    : Effect.succeed({ parameter, path: parameter.split("."), values })
}

/** The file's data with another value; `undefined` if the path does not exist. */
export const withValue = (
  data: unknown,
  path: ReadonlyArray<string>,
  value: unknown
): Option.Option<unknown> => {
  const [step, ...rest] = path
  if (step === undefined) return Option.some(value)
  if (Array.isArray(data)) {
    // A tier goes by its place or its name.
    const index = data.findIndex(
      (each, index) => step === String(index) || (isRecord(each) && each["name"] === step)
    )
    return index < 0
      ? Option.none()
      : Option.map(withValue(data[index], rest, value), (changed) => data.with(index, changed))
  }
  if (!isRecord(data) || (rest.length > 0 && !Object.hasOwn(data, step))) return Option.none()
  return Option.map(withValue(data[step], rest, value), (changed) => ({ ...data, [step]: changed }))
}

const even = (from: number, to: number): ReadonlyArray<number> =>
  Array.from({ length: steps }, (_, index) => from + ((to - from) * index) / (steps - 1))

const times = (from: string, to: string): ReadonlyArray<string> | undefined => {
  const bounds = Option.all([decode(from), decode(to)])
  return Option.getOrUndefined(
    Option.map(bounds, ([from, to]) =>
      even(Duration.toMillis(from), Duration.toMillis(to)).map((millis) =>
        encode(Duration.millis(Math.round(millis)))
      )
    )
  )
}

const numbers = (from: string, to: string): ReadonlyArray<number> | undefined => {
  const bounds = [Number(from), Number(to)] as const
  if (!bounds.every(Number.isFinite)) return undefined
  const values = even(...bounds).map((value) => Math.round(value * 1e6) / 1e6)
  return bounds.every(Number.isInteger) ? [...new Set(values.map(Math.round))] : values
}

const decode = Schema.decodeOption(Policy.DurationText)
const encode = Schema.encodeSync(Policy.DurationText)
