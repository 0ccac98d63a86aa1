/** Arbitraries of what can befall a policy's tiers. */
export * as Arbitraries from "./Arbitraries.ts"
/** Laws that a policy should keep whatever happens. */
export * as Laws from "./Laws.ts"
/** What callers and upstreams do for a stretch of time, as plain data. */
export * as Script from "./Script.ts"
/** What a policy would have done: the production engine in virtual time, under a script. */
export * as Simulation from "./Simulation.ts"
/** Runs effects in a time of their own. */
export * as VirtualTime from "./VirtualTime.ts"
