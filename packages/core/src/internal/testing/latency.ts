import * as Duration from "effect/Duration"
import type { Latency } from "../../testing/Script.ts"

/** The quantile `u` of the latency, in milliseconds. */
export const quantile = (latency: Latency, u: number): number => {
  switch (latency._tag) {
    case "Constant":
      return Duration.toMillis(latency.time)
    case "Uniform": {
      const [from, to] = [Duration.toMillis(latency.from), Duration.toMillis(latency.to)]
      return from + u * (to - from)
    }
    case "Quantiles":
      return between(latency.points, u)
  }
}

type Points = readonly [Point, Point, ...Array<Point>]
type Point = readonly [percent: number, time: Duration.Duration]

/**
 * The logarithm of a log-normal time is a straight line over the deviate of its share. Two points are one line, and
 * so the log-normal distribution through both; more are one line from each to the next, the outer two going on.
 */
const between = (points: Points, u: number): number => {
  const z = deviate(u)
  const last = points.length - 2
  let index = 0
  while (index < last && deviate(points[index + 1]![0] / 100) < z) index++
  const [[low, from], [high, to]] = [points[index]!, points[index + 1]!]
  const [z0, z1] = [deviate(low / 100), deviate(high / 100)]
  const [y0, y1] = [Math.log(Duration.toMillis(from)), Math.log(Duration.toMillis(to))]
  return Math.exp(y0 + ((z - z0) / (z1 - z0)) * (y1 - y0))
}

// Coefficients of P. J. Acklam's rational approximation, whose relative error is below 1.15e-9.
const a = [-39.69683028665376, 220.9460984245205, -275.9285104469687, 138.357751867269, -30.66479806614716, 2.506628277459239] // biome-ignore format: a table
const b = [-54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572, 1] // biome-ignore format: a table
const c = [-0.007784894002430293, -0.3223964580411365, -2.400758277161838, -2.549732539343734, 4.374664141464968, 2.938163982698783] // biome-ignore format: a table
const d = [0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416, 1] // biome-ignore format: a table

const polynomial = (coefficients: ReadonlyArray<number>, x: number): number =>
  coefficients.reduce((sum, coefficient) => sum * x + coefficient, 0)

/** The standard normal deviate that the share `u` does not exceed; of the very ends, one a trillion does not. */
const deviate = (u: number): number => {
  const p = Math.min(1 - 1e-12, Math.max(1e-12, u))
  if (p > 0.97575) return -deviate(1 - p)
  if (p < 0.02425) {
    const q = Math.sqrt(-2 * Math.log(p))
    return polynomial(c, q) / polynomial(d, q)
  }
  const q = p - 0.5
  return (polynomial(a, q * q) * q) / polynomial(b, q * q)
}
