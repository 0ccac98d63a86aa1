/** Arbitraries of outages, for property tests of policies. */
export * as Arbitraries from "./Arbitraries.ts"
/** Laws that a policy should always keep. */
export * as Laws from "./Laws.ts"
/** The behaviour of callers and upstreams over time, as plain data. */
export * as Script from "./Script.ts"
/** Simulates a policy: the production engine in virtual time, under a script. */
export * as Simulation from "./Simulation.ts"
/** Runs effects in virtual time. */
export * as VirtualTime from "./VirtualTime.ts"
