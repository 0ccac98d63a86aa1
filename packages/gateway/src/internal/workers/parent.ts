import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import type { ConfigError } from "../../Config.ts"
import * as Log from "../../Log.ts"
import type { ListenError } from "../../Server.ts"
import type { Source, Terminal } from "../command/command.ts"
import * as AlertWatch from "../serving/alertWatch.ts"
import { alertStatus } from "../serving/known.ts"
import type { PolicyStatus } from "../serving/status.ts"
import { changed } from "../serving/untilRestart.ts"
import * as Channel from "./channel.ts"
import * as Door from "./door.ts"
import * as Process from "./process.ts"
import type { OfParent, OfWorker } from "./questions.ts"
import * as Restarts from "./restarts.ts"
import * as Sum from "./sum.ts"

/**
 * Workers end right after every start.
 *
 * @example
 * import { Cli } from "@understudy/gateway"
 *
 * const { message } = new Cli.WorkerError({ worker: 2, times: 5, how: "SIGKILL" })
 *
 * console.log(message.split(",")[0]) // => worker 2 ended 5 times in a row soon after its start
 *
 * @since 0.1.0
 * @category errors
 */
export class WorkerError extends Data.TaggedError("WorkerError")<{
  readonly worker: number
  readonly times: number
  readonly how: string
}> {
  override get message(): string {
    return `worker ${this.worker} ended ${this.times} times in a row soon after its start, the last time by ${this.how}; see what it has printed`
  }
}

interface Options {
  readonly workers: number
  readonly format: Log.Format
  /** Reads the current file. */
  readonly read: Effect.Effect<Source, ConfigError>
  /** Requests to reload it. */
  readonly asked: Queue.Dequeue<void>
  readonly log: (entry: Log.Entry) => void
  /** Prints the workers' lines. */
  readonly print: (lines: string) => void
  /** Called with an effect that returns the number of requests in flight in all workers. */
  readonly onServing: Terminal["onServing"]
  /** Called when all workers serve. */
  readonly onListening: (url: string, source: Source) => void
}

/** A running worker. */
interface Child {
  readonly worker: number
  readonly process: Process.Process
  readonly ask: Channel.Channel<OfParent>
  readonly told: Sum.Told
  /** The file it was last told to serve. */
  serves: Source | undefined
  /** Undefined while it does not serve yet. */
  leave: (() => void) | undefined
}

/** Keeps the worker processes of one gateway running, each with its share of the connections. Ends only on failure. */
export const run = (options: Options): Effect.Effect<void, ConfigError | ListenError | WorkerError> =>
  Effect.gen(function* () {
    const { asked, log, print, read, workers } = options
    const first = yield* read
    const { server } = first.config
    const door = yield* Door.open(server.host, server.port)
    let current = first
    let policy: PolicyStatus = { loaded_at: new Date().toISOString(), refused: null }
    const startedAt = policy.loaded_at
    const children = new Set<Child>()
    const sum = Sum.make(first.config)
    const starting = new Set(Array.from({ length: workers }, (_, index) => index + 1))

    const serving = () => [...children].filter(({ leave }) => leave !== undefined)

    /** Collects the counts of all workers; returns the accounts of those that answer in time. */
    const collect = (full: boolean) =>
      Effect.suspend(() =>
        Effect.forEach(
          serving(),
          ({ ask, process, told }) =>
            Effect.map(inTime(process, collectWithin, ask("told", full)), (said) => {
              told.counts = said?.counts ?? told.counts
              return said?.account === undefined ? [] : [said.account]
            }),
          { concurrency: "unbounded" }
        )
      )
    options.onServing?.(
      Effect.map(
        Effect.forEach(
          children,
          ({ ask, process }) => inTime(process, countWithin, ask("underWay", undefined)),
          { concurrency: "unbounded" }
        ),
        (counts) => counts.reduce<number>((sum, count = 0) => sum + count, 0)
      )
    )
    const known = (full: boolean) =>
      Effect.map(Effect.all([collect(full), sum.alerts]), ([accounts, alerts]) => ({
        families: sum.families(),
        alerts: alerts.map(alertStatus),
        accounts: accounts.flat(),
        policy,
        startedAt
      }))

    const serveCurrent = (child: Child): Effect.Effect<void> =>
      Effect.gen(function* () {
        child.serves = current
        const { ask, process, worker } = child
        const over = Effect.raceFirst(ask("reload", current.text), process.ended)
        if ((yield* within(reloadWithin, Effect.as(over, true))) === undefined) {
          const how = `has not taken the new file within ${reloadWithin}`
          log(Log.worker(worker, { how }, new Date()))
        }
      })

    const start = (worker: number): Child => {
      const process = Process.start(print)
      const ask = Channel.make<OfParent, OfWorker>(process.port, {
        assignment: () =>
          Effect.sync(() => {
            child.serves = current
            const { name, text } = current
            const { format } = options
            return { worker, workers, url: door.url, name, text, first: first.text, format }
          }),
        ready: () =>
          Effect.suspend(() => {
            child.leave = door.admit((socket) => ask("connection", undefined, socket))
            if (starting.delete(worker)) {
              if (starting.size === 0) options.onListening(door.url, first)
            } else log(Log.worker(worker, undefined, new Date()))
            // There was a reload while it started.
            return child.serves === current ? Effect.void : serveCurrent(child)
          }),
        known
      })
      const child: Child = { worker, process, ask, told: sum.add(), serves: undefined, leave: undefined }
      children.add(child)
      return child
    }

    const stop = (child: Child): Effect.Effect<void> =>
      Effect.gen(function* () {
        const { ask, process, told } = child
        child.leave?.()
        // A worker that does not serve yet has nothing in flight.
        if (child.serves === undefined) process.kill()
        else {
          const drained = Effect.zipRight(ask("stop", undefined), process.ended)
          yield* inTime(process, Duration.sum(server.drain, overtime), drained)
        }
        process.kill()
        yield* process.ended
        children.delete(child)
        told.close()
      })

    /** One process, from its start to its end. */
    const one = (worker: number): Effect.Effect<string> =>
      Effect.acquireUseRelease(
        Effect.sync(() => start(worker)),
        (child) =>
          Effect.gen(function* () {
            const { process } = child
            const how = yield* Effect.raceFirst(process.ended, Effect.as(silent(child), "silence"))
            process.kill()
            yield* process.ended
            return how
          }),
        stop
      )

    const keep = (worker: number): Effect.Effect<never, WorkerError> =>
      Effect.gen(function* () {
        let inARow = 0
        while (true) {
          const started = yield* Clock.currentTimeMillis
          const how = yield* one(worker)
          const restart = Restarts.next(inARow, (yield* Clock.currentTimeMillis) - started)
          if (restart === undefined) {
            yield* door.close
            return yield* new WorkerError({ worker, times: inARow + 1, how })
          }
          inARow = restart.inARow
          log(Log.worker(worker, { how, restartMillis: restart.waitMillis }, new Date()))
          yield* Effect.sleep(restart.waitMillis)
        }
      })

    const reload = Effect.gen(function* () {
      const next = yield* Effect.either(read)
      const at = new Date()
      if (Either.isLeft(next)) {
        policy = { ...policy, refused: { at: at.toISOString(), reason: next.left.message } }
        return log(Log.reload(Either.left(next.left), at))
      }
      current = next.right
      policy = { loaded_at: at.toISOString(), refused: null }
      sum.judgeBy(current.config)
      yield* Effect.forEach(serving(), serveCurrent, { concurrency: "unbounded", discard: true })
      log(Log.reload(Either.right(changed(server, current.config.server)), new Date()))
    })

    yield* killedWith(children)
    const keeping = yield* Effect.forkScoped(
      Effect.all(
        Array.from({ length: workers }, (_, index) => keep(index + 1)),
        { concurrency: "unbounded", discard: true }
      )
    )
    // Before the workers are told to stop.
    yield* Effect.addFinalizer(() => door.close)
    // Once a second, so that little is lost if a worker crashes.
    const alerts = AlertWatch.watch(Effect.zipRight(collect(false), sum.alerts), (status) =>
      log(Log.alert(status, new Date()))
    )
    const reloads = Effect.forever(Effect.zipRight(Queue.take(asked), reload))
    yield* Effect.raceFirst(
      Fiber.join(keeping),
      Effect.all([alerts, reloads], { concurrency: "unbounded", discard: true })
    )
  }).pipe(Effect.scoped)

/** Bounds a question to a worker, which may end before it answers or take too long. */
const inTime = <A>(
  process: Process.Process,
  duration: Duration.DurationInput,
  answer: Effect.Effect<A>
): Effect.Effect<A | undefined> =>
  within(duration, Effect.raceFirst(answer, Effect.as(process.ended, undefined)))

const within = <A>(
  duration: Duration.DurationInput,
  answer: Effect.Effect<A>
): Effect.Effect<A | undefined> =>
  answer.pipe(Effect.interruptible, Effect.timeoutOption(duration), Effect.map(Option.getOrUndefined))

/** Completes when a serving worker no longer answers: its connections would hang for ever. */
const silent = (child: Child): Effect.Effect<void> =>
  Effect.suspend(() => (child.leave === undefined ? Effect.succeed(true) : isAlive(child))).pipe(
    Effect.delay("1 second"),
    Effect.repeat({ while: (alive) => alive }),
    Effect.asVoid
  )

const isAlive = ({ ask }: Child): Effect.Effect<boolean> =>
  Effect.raceFirst(
    Effect.as(ask("alive", undefined), true),
    // In two halves: if all processes were suspended together, the first half elapses before any answer can arrive.
    Effect.as(Effect.zipRight(Effect.sleep(halfOfSilence), Effect.sleep(halfOfSilence)), false)
  )

/** Short, since the caller is about to exit. */
const countWithin = "200 millis"
const collectWithin = "1 second"
const reloadWithin = "5 seconds"
const halfOfSilence = "5 seconds"
/** For the last bytes to callers, and the last spans. */
const overtime = "5 seconds"

/** Makes sure that no worker survives this process. */
const killedWith = (children: ReadonlySet<Child>): Effect.Effect<void, never, Scope.Scope> =>
  Effect.suspend(() => {
    const kill = () => {
      for (const child of children) child.process.kill()
    }
    return Effect.acquireRelease(
      Effect.sync(() => void process.on("exit", kill)),
      () => Effect.sync(() => process.off("exit", kill))
    )
  })
