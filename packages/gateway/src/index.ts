/** The command `understudy`. */
export * as Cli from "./Cli.ts"
/** The configuration file. */
export * as Config from "./Config.ts"
/** The gateway as an Effect: a configuration in, a listening server out. */
export * as Gateway from "./Gateway.ts"
/** The log, with one line for every attempt and every run. */
export * as Log from "./Log.ts"
/** Synthetic checks. */
export * as Probe from "./Probe.ts"
/** The two sides of the gateway that touch the network. */
export * as Server from "./Server.ts"
/** The gateway's status: as JSON at `/status`, and as a page at `/`. */
export * as StatusPage from "./StatusPage.ts"
