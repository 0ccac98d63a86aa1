import { type ChildProcess, fork } from "node:child_process"
import { join } from "node:path"
import type { Sample } from "./measure.ts"
import type { Contender } from "./scenarios.ts"
import type { Answer, Job, Question, Ready } from "./worker.ts"

/** A contender in a process of its own, warm. */
export interface Process {
  readonly contender: Contender
  readonly ready: Readonly<Record<string, Ready>>
  readonly sample: (scenario: string, what: "one" | "inFiber", millis: number) => Promise<Sample>
  readonly bytes: (scenario: string, millis: number) => Promise<number>
  readonly profile: (
    scenario: string,
    what: "one" | "inFiber",
    millis: number,
    file: string
  ) => Promise<Sample>
  /** Resolves to how many runs were profiled. */
  readonly allocations: (scenario: string, millis: number, file: string) => Promise<number>
  readonly end: () => void
}

const nextAnswer = <A extends Answer>(child: ChildProcess, contender: Contender): Promise<A> =>
  new Promise((resolve, reject) => {
    const failed = (code: unknown) => reject(new Error(`${contender.name} ended with ${code}`))
    child.once("exit", failed)
    child.once("message", (message) => {
      child.removeListener("exit", failed)
      resolve(message as A)
    })
  })

/** Starts a process and waits until it is warm; `out` is the folder of the bundled contenders. */
export const start = async (out: string, contender: Contender, job: Job): Promise<Process> => {
  const child = fork(join(out, `${contender.file}.mjs`), [JSON.stringify(job)], { execArgv: [] })
  const ready = await nextAnswer<Process["ready"]>(child, contender)
  const ask = <A extends Answer>(question: Question): Promise<A> => {
    const answer = nextAnswer<A>(child, contender)
    child.send(question)
    return answer
  }
  return {
    contender,
    ready,
    sample: (scenario, what, millis) => ask({ scenario, what, millis }),
    bytes: (scenario, millis) => ask({ scenario, what: "bytes", millis }),
    profile: (scenario, what, millis, file) => ask({ scenario, what, millis, file }),
    allocations: (scenario, millis, file) => ask({ scenario, what: "bytes", millis, file }),
    end: () => child.disconnect()
  }
}
