import type * as Policy from "@understudy/core/Policy"

/** The weather where none is given: what befalls a first tier in a bad half hour, and once its neighbour with it. */
export const defaultScript = ({ tiers }: Policy.Policy): string => {
  const [first, second] = tiers.map(({ name }) => JSON.stringify(name))
  return `for: 30m
load: { rate: 10 }
upstreams:
${tiers.map(({ name }) => `  ${JSON.stringify(name)}: { latency: { p50: 900ms, p95: 3s }, failures: { 503: 0.005, hang: 0.001 } }`).join("\n")}
events:
  - { at: 3m, for: 5m, of: ${first}, every: 1m, down: 20s, failures: { 503: 1 } }   # it flaps
  - { at: 11m, for: 4m, of: ${first}, slower: 8 }                                   # it answers, but slowly
  - { at: 18m, for: 3m, of: ${first}, failures: { hang: 1 } }                       # it takes calls and says nothing
  - { at: 24m, for: 2m, of: [${second === undefined ? first : `${first}, ${second}`}], failures: { connection: 1 } }   # nobody is there
`
}
