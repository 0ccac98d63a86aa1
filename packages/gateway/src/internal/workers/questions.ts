import type * as Log from "../../Log.ts"
import type { Account, Counts, Known } from "../serving/known.ts"

/** The questions of a worker to its parent. */
export type OfWorker = {
  /** Asks for its assignment. */
  readonly assignment: (nothing: undefined) => Assignment
  /** Says that it is ready for connections. */
  readonly ready: (nothing: undefined) => void
  /** Asks for the combined data of all workers, with or without their accounts. */
  readonly known: (full: boolean) => Known
}

/** The questions of the parent to a worker. */
export type OfParent = {
  /** Hands over a connection. */
  readonly connection: (nothing: undefined) => void
  /** Checks that it still answers. */
  readonly alive: (nothing: undefined) => void
  /** Asks for its data. */
  readonly told: (full: boolean) => { readonly counts: Counts; readonly account: Account | undefined }
  /** Asks for its number of requests in flight. */
  readonly underWay: (nothing: undefined) => number
  /** Reloads from the text of another, valid file. */
  readonly reload: (text: string) => void
  /** Lets requests in flight finish, and then ends the process. */
  readonly stop: (nothing: undefined) => void
}

interface Assignment {
  /** From 1. */
  readonly worker: number
  readonly workers: number
  /** The public address of the gateway. */
  readonly url: string
  /** The name of the file in errors. */
  readonly name: string
  /** The file that the gateway started with: some of its settings cannot be reloaded. */
  readonly first: string
  readonly text: string
  readonly format: Log.Format
}
