/** What Prometheus makes of one line. */
export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** The samples of a page in Prometheus' older format, which has no exemplars. */
export const samplesOf = (text: string): ReadonlyArray<Sample> =>
  [...text.matchAll(/^(\w+)(?:\{(.*)\})? (\S+)$/gm)].map(([, name = "", labels = "", value]) => ({
    name,
    labels: Object.fromEntries(
      [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, label, value]) => [label, value])
    ),
    value: Number(value === "+Inf" ? Number.POSITIVE_INFINITY : value)
  }))
