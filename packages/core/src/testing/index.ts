/** What callers and upstreams do for a stretch of time, as plain data. */
export * as Script from "./Script.ts"
/** What a policy would have done: the production engine in virtual time, under a script. */
export * as Simulation from "./Simulation.ts"
