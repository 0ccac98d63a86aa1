import type { Socket } from "node:net"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Config from "../../Config.ts"
import type { Gateway } from "../../Gateway.ts"
import type * as Log from "../../Log.ts"
import type { ListenError } from "../../Server.ts"
import type { Among, Ask, Self } from "../serving/known.ts"
import { kept } from "../serving/untilRestart.ts"
import * as Channel from "./channel.ts"
import type { OfParent, OfWorker } from "./questions.ts"
import { share } from "./share.ts"

interface Options {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Applies the command line's overrides to a file. */
  readonly settled: (config: Config.Config) => Config.Config
  readonly start: (
    config: Config.Config,
    format: Log.Format,
    among: Among,
    worker: number
  ) => Effect.Effect<Gateway, ListenError, Scope.Scope>
}

/** Runs the parent's assignment until the parent stops it. */
export const run = ({ env, settled, start }: Options): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function* () {
    const self = yield* Deferred.make<Self>()
    const serving = yield* Deferred.make<{
      readonly reload: (text: string) => Effect.Effect<void>
      readonly underWay: Effect.Effect<number>
    }>()
    const stopped = yield* Deferred.make<void>()
    let take = (_: Socket): void => {}
    const ask = Channel.make<OfWorker, OfParent>(parent, {
      connection: (_, socket) =>
        Effect.sync(() => {
          // The caller may have disconnected meanwhile.
          if (socket !== undefined) take(socket)
        }),
      alive: () => Effect.void,
      told: (full) =>
        Effect.flatMap(Deferred.await(self), ({ account, counts }) =>
          Effect.all({ counts, account: full ? account : Effect.succeed(undefined) })
        ),
      underWay: () => Effect.flatMap(Deferred.await(serving), ({ underWay }) => underWay),
      reload: (text) => Effect.flatMap(Deferred.await(serving), ({ reload }) => reload(text)),
      stop: () => Effect.asVoid(Deferred.succeed(stopped, undefined))
    })
    const peers = (own: Self): Ask => {
      Deferred.unsafeDone(self, Effect.succeed(own))
      return (full) =>
        Effect.timeoutFail(ask("known", full), {
          duration: knownWithin,
          onTimeout: () => "unanswered" as const
        })
    }
    const serve = Effect.gen(function* () {
      const { first, format, name, text, url, worker, workers } = yield* ask("assignment", undefined)
      // Cannot fail, since the parent has parsed it as well.
      const read = (text: string) => Effect.map(Effect.orDie(Config.parse(text, name, env)), settled)
      const held = kept((yield* read(first)).server)
      const part = (text: string) =>
        Effect.map(read(text), (config) =>
          share({ ...config, server: { ...config.server, ...held } }, worker, workers)
        )
      const onConnection = (hear: (socket: Socket) => void) => {
        take = hear
      }
      const among = { handedOver: { url, onConnection }, peers }
      // Cannot fail to listen, since it does not.
      const gateway = yield* Effect.orDie(start(yield* part(text), format, among, worker))
      yield* Deferred.succeed(serving, {
        reload: (text) => Effect.orDie(Effect.asVoid(gateway.reload(part(text)))),
        underWay: gateway.underWay
      })
      yield* ask("ready", undefined)
      yield* Effect.never
    })
    yield* Effect.raceFirst(serve, Deferred.await(stopped))
  })

/** Longer than the parent waits for an unresponsive worker. */
const knownWithin = "3 seconds"

const parent: Channel.Port = {
  // Errors are ignored: without the parent this process ends anyway.
  send: (message) => void process.send?.(message, undefined, undefined, () => {}),
  onMessage: (hear) =>
    void process.on("message", (message, socket) => hear(message, socket as Socket | undefined))
}
