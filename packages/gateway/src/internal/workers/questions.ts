import type * as Log from "../../Log.ts"
import type { Account, Counts, Known } from "../serving/known.ts"

/** What a worker asks of its parent. */
export type OfWorker = {
  /** What it is to do. */
  readonly assignment: (nothing: undefined) => Assignment
  /** It takes connections from now on. */
  readonly ready: (nothing: undefined) => void
  /** What all workers know; with their accounts or without. */
  readonly known: (full: boolean) => Known
}

/** What the parent asks of a worker. */
export type OfParent = {
  /** Serve this connection. */
  readonly connection: (nothing: undefined) => void
  /** Whether it still answers. */
  readonly alive: (nothing: undefined) => void
  /** What it knows. */
  readonly told: (full: boolean) => { readonly counts: Counts; readonly account: Account | undefined }
  /** How many requests are under way in it. */
  readonly underWay: (nothing: undefined) => number
  /** Serve the text of another file; it is known to be a valid one. */
  readonly reload: (text: string) => void
  /** Let the requests under way end, and then the process. */
  readonly stop: (nothing: undefined) => void
}

interface Assignment {
  /** From 1. */
  readonly worker: number
  readonly workers: number
  /** Where callers find them all. */
  readonly url: string
  /** The name of the file in errors. */
  readonly name: string
  /** The file that the gateway started with: some of it holds until the end. */
  readonly first: string
  readonly text: string
  readonly format: Log.Format
}
