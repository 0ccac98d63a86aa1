import { Effect, type Scope } from "effect"
import { bytes } from "../support/socket.ts"
import {
  type Behaviour,
  content,
  fails,
  finish,
  type Received,
  raw,
  reset,
  role,
  sends,
  silence,
  stream,
  type Wall,
  wall
} from "../support/wall.ts"
import { chance, pick } from "./chance.ts"

/** An answer's words: each names the request that it belongs to, and its place. */
export const words = (marker: string): ReadonlyArray<string> =>
  Array.from({ length: 6 }, (_, place) => `${marker}:${place} `)

/** What a request says, and so whose it is. */
export const markerOf = ({ body }: Received): string => JSON.parse(body.toString()).messages[0].content

const whole = (marker: string): string =>
  JSON.stringify({
    object: "chat.completion",
    choices: [
      { index: 0, message: { role: "assistant", content: words(marker).join("") }, finish_reason: "stop" }
    ]
  })

const pieces = (marker: string) => [role, ...words(marker).map(content)]

const good =
  (marker: string, delay: number): Behaviour =>
  (response, received) =>
    void setTimeout(
      () =>
        isStream(received)
          ? stream([...pieces(marker), finish])(response, received)
          : sends(200, "application/json", whole(marker))(response, received),
      delay
    )

const isStream = ({ body }: Received): boolean => JSON.parse(body.toString()).stream === true

/** A stream that breaks off after three of its words, or a whole answer that is cut short. */
const cut =
  (end: "eof" | "reset"): ((marker: string) => Behaviour) =>
  (marker) =>
  (response, received) =>
    isStream(received)
      ? stream(pieces(marker).slice(0, 4), end)(response, received)
      : bytes(
          `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 999\r\n\r\n${whole(marker)}`,
          end === "eof" ? "close" : "reset"
        )(response, received)

const told = (marker: string): Behaviour =>
  stream([...pieces(marker).slice(0, 4), raw('data: {"error":{"message":"busy","code":"server_error"}}\n\n')])

const faults: ReadonlyArray<readonly [(marker: string) => Behaviour, number]> = [
  [() => fails(503), 6],
  [() => fails(500), 4],
  [() => fails(429, "rate_limit_exceeded", { "retry-after": "0" }), 3],
  [() => fails(400, "invalid_value"), 1],
  [() => sends(200, "text/html", "<html>busy</html>"), 2],
  [() => reset, 4],
  [() => silence, 2],
  [cut("eof"), 2],
  [cut("reset"), 2],
  [told, 2]
]

/**
 * An upstream that fails a share of its requests, each in a way that its words, the tier and the try decide. It notes
 * whom it heard of.
 */
export const upstream = (
  seed: number,
  tier: string,
  failing: number,
  heard: Set<string>
): Effect.Effect<Wall, never, Scope.Scope> =>
  Effect.map(wall, (wall) => {
    const tries = new Map<string, number>()
    wall.script((response, received) => {
      const marker = markerOf(received)
      heard.add(marker)
      const nth = tries.get(marker) ?? 0
      tries.set(marker, nth + 1)
      const at = (what: string) => chance(seed, tier, marker, nth, what)
      const behaviour =
        at("fails") < failing ? pick(faults, at("how"))(marker) : good(marker, at("late") * 20)
      behaviour(response, received)
    })
    return wall
  })
