import { Effect } from "effect"
import { type Answer, call } from "../support/caller.ts"
import { chance, pick } from "./chance.ts"
import { words } from "./upstream.ts"

/** How a caller behaves. */
export type Manner = "whole" | "stream" | "leaves" | "hurries" | "malformed" | "lost" | "stranger"

const manners: ReadonlyArray<readonly [Manner, number]> = [
  ["whole", 40],
  ["stream", 40],
  ["leaves", 10],
  ["hurries", 4],
  ["malformed", 2],
  ["lost", 2],
  ["stranger", 2]
]

/** One request, and what came of it for the caller. */
export interface Told {
  readonly marker: string
  readonly manner: Manner
  readonly streamed: boolean
  /** Undefined where the caller left before there was one. */
  readonly answer: Answer | undefined
}

export const key = "sk-chaos"

/** Asks once. Who leaves does so when an upstream has heard of the request. */
export const ask = (
  url: string,
  seed: number,
  marker: string,
  heard: (marker: string) => boolean
): Effect.Effect<Told> =>
  Effect.gen(function* () {
    const at = (what: string) => chance(seed, marker, what)
    const manner = pick(manners, at("manner"))
    const streamed = manner === "stream" || (manner !== "whole" && at("streamed") < 0.5)
    const request = {
      model: manner === "lost" ? "nowhere" : "chat",
      messages: [{ role: "user", content: marker }],
      ...(streamed && { stream: true })
    }
    const { answer, leave } = yield* call(url, {
      body: manner === "malformed" ? JSON.stringify(request).slice(0, -1) : request,
      headers: {
        authorization: `Bearer ${manner === "stranger" ? "sk-other" : key}`,
        ...(manner === "hurries" && { "x-understudy-timeout": "30ms" })
      }
    })
    if (manner !== "leaves") return { marker, manner, streamed, answer: yield* answer }
    const waited = Effect.repeat(Effect.sleep("1 millis"), { until: () => heard(marker) })
    const early = yield* Effect.race(Effect.as(waited, undefined), answer)
    yield* Effect.sleep(`${Math.floor(at("when") * 20)} millis`)
    leave()
    return { marker, manner, streamed, answer: early }
  }).pipe(Effect.scoped)

/** What an answer says of itself: all of it, that it failed and why, or nothing of the kind. */
export const claim = ({ answer, marker, streamed }: Told): string => {
  if (answer === undefined) return "left"
  if (answer.status === 0) return "no connection"
  if (!answer.whole) return "cut"
  if (answer.status !== 200) return `${answer.status} ${JSON.parse(answer.text).error.code}`
  if (!streamed) return JSON.parse(answer.text).choices[0].message.content === all(marker) ? "all" : "WRONG"
  const events = answer.text.split("\n\n").filter((event) => event !== "" && !event.startsWith(":"))
  const last = events.at(-1) ?? ""
  const said = events
    .filter((event) => event.startsWith("data: {") && !event.startsWith('data: {"error"'))
    .map((event) => JSON.parse(event.slice(6)).choices[0]?.delta.content ?? "")
    .join("")
  if (last === "data: [DONE]") return said === all(marker) ? "all" : "WRONG"
  return all(marker).startsWith(said) && last.includes("stream_interrupted") ? "interrupted" : "WRONG"
}

/** Whether a run was made for it: its answer says so, or it left when an upstream had heard of it. */
export const hasRun = ({ answer }: Told): boolean =>
  answer === undefined || answer.headers["x-understudy-attempts"] !== undefined

const all = (marker: string): string => words(marker).join("")
