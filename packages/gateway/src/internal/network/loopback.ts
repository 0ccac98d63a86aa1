import { isIPv4 } from "node:net"

/** Whether a name or an address is this machine's alone. */
export const isLoopback = (host: string): boolean =>
  host.toLowerCase() === "localhost" || host === "::1" || (isIPv4(host) && host.startsWith("127."))

/** What a `Host` header names, without its port. */
export const nameIn = (host: string): string => host.replace(/:\d*$/, "").replace(/^\[(.*)\]$/, "$1")

/** What an `Origin` header names; of an app's own scheme nothing that is this machine. */
export const nameInOrigin = (origin: string): string => nameIn(origin.replace(/^https?:\/\//, ""))
