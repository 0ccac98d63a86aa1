import { setTimeout as sleep } from "node:timers/promises"
import { agent, call } from "./callers.ts"
import { type Sample, taking } from "./compare.ts"
import { type Places, startMock } from "./contenders.ts"

const compared = ["raw", "untraced", "portkey"]

/** From the start of a process to its first answer, and what it then keeps in memory. */
export const cold = async (places: Omit<Places, "mock">, rounds: number): Promise<ReadonlyArray<Sample>> => {
  const mock = await startMock(places.out)
  const samples: Array<Sample> = []
  process.stderr.write("cold\n")
  // The first round brings the files into the cache.
  for (let round = 0; round <= rounds; round++) {
    for (const contender of taking(compared, places)) {
      const started = performance.now()
      const server = await contender.start({ ...places, mock })
      const question = contender.question({ ...places, mock }, server, ["answer", "answer"])
      const dispatcher = agent()
      while ((await call(dispatcher, question).catch(() => undefined)) === undefined) await sleep(2)
      const start = performance.now() - started
      const { resident } = await server.ask({ _tag: "usage", collect: false })
      await dispatcher.destroy()
      await server.end()
      const figures = { start, resident: resident / 1e6 }
      if (round > 0) samples.push({ scenario: "cold", contender: contender.name, round, figures })
    }
  }
  await mock.end()
  return samples
}
