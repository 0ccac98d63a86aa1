import { FastCheck } from "effect"
import { type Act, acts, bound, type Kind, mostly, type Plan, plans } from "./plan.ts"

/** What a stream says at once, after so many milliseconds: which of its elements count. */
export interface Piece {
  readonly after: number
  readonly counts: ReadonlyArray<boolean>
}

/** One stream: what it says, and how it ends. */
export interface Speech {
  readonly pieces: ReadonlyArray<Piece>
  readonly last: Act
}

export interface StreamTierPlan {
  readonly idle: number
  readonly maxStream: number
  /** Whether it goes on with what another has begun, by its next speech. */
  readonly resumes: boolean
  /** One a call; after the last it begins again. */
  readonly script: ReadonlyArray<Speech>
}

/** A policy, whose bound on an attempt is the one on its first content, and a stream behind each of its tiers. */
export interface StreamPlan {
  readonly plan: Plan
  readonly streams: ReadonlyArray<StreamTierPlan>
}

/** How a caller reads. */
export interface Caller {
  /** How long it thinks about each element in turn. */
  readonly pauses: ReadonlyArray<number>
  readonly takes: number
  readonly leavesAt: number | undefined
}

const { array, boolean, constant, integer, nat, record } = FastCheck

const counts = mostly([2, constant(false)], [1, constant(true)])

const piece: FastCheck.Arbitrary<Piece> = record({
  after: mostly([2, constant(0)], [5, nat(2_000)]),
  counts: mostly(
    [9, array(counts, { minLength: 1, maxLength: 3 })],
    // More than is read ahead of a slow caller.
    [1, array(counts, { minLength: 12, maxLength: 24 })]
  )
})

/** With `resumes` some tiers do; by default none. */
export const streamPlans = (
  kind: Kind & { readonly resumes?: boolean } = {}
): FastCheck.Arbitrary<StreamPlan> =>
  record({
    plan: plans({ ok: 20, ...kind }),
    streams: array(
      record({
        idle: bound(4_000, kind.bounds === false ? 0 : 5),
        maxStream: bound(9_000, kind.bounds === false ? 0 : 4),
        resumes: kind.resumes ? boolean() : constant(false),
        script: array(record({ pieces: array(piece, { maxLength: 5 }), last: acts(kind) }), {
          minLength: 1,
          maxLength: 4
        })
      }),
      { minLength: 4, maxLength: 4 }
    )
  })

/** Takes its time, and may have enough after a while. */
export const callers: FastCheck.Arbitrary<Caller> = record({
  pauses: array(mostly([3, constant(0)], [2, nat(2_500)]), { minLength: 1, maxLength: 4 }),
  takes: mostly([3, constant(Number.POSITIVE_INFINITY)], [1, integer({ min: 1, max: 12 })]),
  leavesAt: constant(undefined)
})
