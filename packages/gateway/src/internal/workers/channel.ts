import type { Socket } from "node:net"
import * as Effect from "effect/Effect"

/**
 * One end of a connection between two processes, for messages and sockets. Each arrives once and in order, or never.
 */
export interface Port {
  readonly send: (message: unknown, socket?: Socket) => void
  readonly onMessage: (hear: (message: unknown, socket: Socket | undefined) => void) => void
}

/** Questions and their answers, by name. */
type Questions = { readonly [name: string]: (question: never) => unknown }

type Answers<Q> = {
  readonly [K in keyof Q]: Q[K] extends (question: infer I) => infer O
    ? (question: I, socket: Socket | undefined) => Effect.Effect<O>
    : never
}

/** Asks the process at the other end. If that ends first, no answer comes. */
export type Channel<Q extends Questions> = <K extends keyof Q & string>(
  name: K,
  question: Parameters<Q[K]>[0],
  socket?: Socket
) => Effect.Effect<ReturnType<Q[K]>>

type Message =
  | { readonly id: number; readonly name: string; readonly question: unknown }
  | { readonly id: number; readonly answer: unknown }

/** A channel on which both ends ask questions: this one those of `Asked`, the other one those that `answers` handles. */
export const make = <Asked extends Questions, Answered extends Questions>(
  port: Port,
  answers: Answers<Answered>
): Channel<Asked> => {
  const waiting = new Map<number, (answer: never) => void>()
  let last = 0
  const answer: Readonly<Record<string, Answers<Questions>[string]>> = answers
  port.onMessage((heard, socket) => {
    const message = heard as Message
    if ("answer" in message) return waiting.get(message.id)?.(message.answer as never)
    const { id, name, question } = message
    const told = answer[name]?.(question as never, socket) ?? Effect.dieMessage(`nobody answers ${name}`)
    Effect.runFork(Effect.map(told, (answer) => port.send({ id, answer })))
  })
  return (name, question, socket) =>
    Effect.async((resume) => {
      const id = ++last
      waiting.set(id, (answer) => {
        waiting.delete(id)
        resume(Effect.succeed(answer))
      })
      port.send({ id, name, question }, socket)
      return Effect.sync(() => waiting.delete(id))
    })
}
