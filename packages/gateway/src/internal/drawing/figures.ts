import { percent } from "./percent.ts"

/** The placeholder of a missing figure. */
export const none = "–"

export const rate = (share: number | null): string => (share === null ? none : percent(share))

/** A time as one compares it: `38 ms`, `1.24 s`, `12.4 s`, `3 min`. */
export const span = (millis: number | null): string => {
  if (millis === null) return none
  if (millis < 999.5) return `${millis < 9.95 ? Math.round(millis * 10) / 10 : Math.round(millis)} ms`
  const seconds = millis / 1000
  const minutes = seconds / 60
  if (seconds < 99.95 && !(minutes >= 1 && Number.isInteger(minutes)))
    return `${seconds.toFixed(seconds < 9.995 ? 2 : 1)} s`
  return minutes < 99.5 ? `${Math.round(minutes)} min` : `${Math.round(minutes / 60)} h`
}

/** A moment since something began, or a long time, in whole seconds: `0s`, `3m20s`, `1h5m`. */
export const clock = (millis: number): string => {
  const seconds = Math.round(millis / 1_000)
  const units = [
    [Math.floor(seconds / 3_600), "h"],
    [Math.floor(seconds / 60) % 60, "m"],
    [seconds % 60, "s"]
  ] as const
  const text = units.map(([amount, unit]) => (amount === 0 ? "" : `${amount}${unit}`)).join("")
  return text === "" ? "0s" : text
}

/** `1.5M`, `64`. No formatter is made before it is needed: the first one takes milliseconds. */
export const compact = (count: number): string => count.toLocaleString("en", { notation: "compact" })

/** `1 run`, `2 runs`. */
export const many = (count: number, what: string): string =>
  `${count.toLocaleString("en")} ${what}${count === 1 ? "" : "s"}`

/** When the next call is let through as a probe. The page's script has this very function: it stands by itself. */
export const left = (millis: number): string => {
  const seconds = Math.ceil(millis / 1000)
  if (seconds <= 0) return "due"
  return seconds < 100 ? `in ${seconds} s` : `in ${Math.round(seconds / 60)} min`
}
