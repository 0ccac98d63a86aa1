/**
 * The promises of a policy, put to the test: the production engine runs in virtual time while a search looks for an
 * outage that breaks one. The last law does not hold, and the error shows the smallest outage that breaks it.
 */
import { Policy } from "@understudy/core"
import { Laws, Simulation } from "@understudy/core/testing"
import { Either } from "effect"

const policy = Either.getOrThrow(
  Policy.decode({
    deadline: "20s",
    tiers: [
      { name: "primary", timeout: "12s", retry: { times: 1 } },
      { name: "standby", timeout: "8s", retry: { times: 1 } }
    ]
  })
)
const subject = Simulation.policy(policy)
const options = { numRuns: 50, seed: 1 }

for (const law of [
  Laws.neverLongerThan("20 seconds"),
  Laws.neverMoreCallsThan(4),
  Laws.reaches("standby"),
  Laws.neverMoreCallsThan(2)
]) {
  try {
    Laws.assert(subject, law, options)
    console.log(`${law.name}: holds`)
  } catch (error) {
    console.log(String(error))
  }
}
