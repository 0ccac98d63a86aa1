import * as Duration from "effect/Duration"
import * as Option from "effect/Option"

const shortForm = /^(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?$/

const long = String.raw`\d+(?:\.\d+)?\s+(?:nano|micro|milli|second|minute|hour|day|week)s?`

/** A pattern for what {@link parseDuration} accepts, for JSON Schema. */
export const durationPattern = `^(?!$)(?:${shortForm.source.slice(1, -1)}|${long})$`

/**
 * Reads `1m30s` or `"90 seconds"`; neither negative nor infinite.
 */
export const parseDuration = (text: string): Option.Option<Duration.Duration> => {
  const short = text === "" ? null : shortForm.exec(text)
  const [, hours = 0, minutes = 0, seconds = 0, millis = 0] = short ?? []
  // `Duration` clamps negative values to zero.
  const duration =
    short === null
      ? Option.filter(Duration.decodeUnknown(text), () => !text.startsWith("-"))
      : Option.some(
          Duration.millis(
            Number(hours) * 3_600_000 + Number(minutes) * 60_000 + Number(seconds) * 1_000 + Number(millis)
          )
        )
  return Option.filter(duration, Duration.isFinite)
}

/**
 * The short form of a finite duration, which {@link parseDuration} reads back.
 */
export const formatDuration = (duration: Duration.Duration): string => {
  const { days, hours, minutes, seconds, millis, nanos } = Duration.parts(duration)
  const whole = nanos === 0 && seconds > 0
  const units: ReadonlyArray<readonly [number, string]> = [
    [days * 24 + hours, "h"],
    [minutes, "m"],
    [whole ? (seconds * 1_000 + millis) / 1_000 : seconds, "s"],
    [whole ? 0 : (millis * 1e6 + nanos) / 1e6, "ms"]
  ]
  const text = units.map(([amount, unit]) => (amount === 0 ? "" : `${amount}${unit}`)).join("")
  return text === "" ? "0s" : text
}
