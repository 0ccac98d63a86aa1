import dns, { type LookupAddress } from "node:dns"
import { Effect, type Scope } from "effect"

/** What a name comes to: at least one address, in this order, or an error's code. */
export type Resolved = ReadonlyArray<string> | string

/** Resolves these names so, for whoever connects from this process; all others as ever. */
export const resolving = (
  names: Readonly<Record<string, Resolved>>
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.asVoid(
    Effect.acquireRelease(
      Effect.sync(() => {
        const { lookup } = dns
        const stub = (name: string, ...rest: ReadonlyArray<unknown>): unknown => {
          const resolved = Object.hasOwn(names, name) ? names[name] : undefined
          if (resolved === undefined) return Reflect.apply(lookup, dns, [name, ...rest])
          const callback = rest.at(-1) as Callback
          return setImmediate(() =>
            typeof resolved === "string"
              ? callback(Object.assign(new Error(`${resolved} ${name}`), { code: resolved }))
              : callback(null, resolved.map(addressOf))
          )
        }
        dns.lookup = stub as typeof dns.lookup
        return lookup
      }),
      (lookup) =>
        Effect.sync(() => {
          dns.lookup = lookup
        })
    )
  )

type Callback = (error: NodeJS.ErrnoException | null, addresses?: ReadonlyArray<LookupAddress>) => void

const addressOf = (address: string): LookupAddress => ({ address, family: address.includes(":") ? 6 : 4 })
