import { isIPv4 } from "node:net"

/** Whether a name or an address is a loopback one. */
export const isLoopback = (host: string): boolean =>
  host.toLowerCase() === "localhost" || host === "::1" || (isIPv4(host) && host.startsWith("127."))

/** The host name in a `Host` header, without its port. */
export const nameIn = (host: string): string => host.replace(/:\d*$/, "").replace(/^\[(.*)\]$/, "$1")

/** The host name in an `Origin` header; for an app's own scheme, no loopback name. */
export const nameInOrigin = (origin: string): string => nameIn(origin.replace(/^https?:\/\//, ""))
