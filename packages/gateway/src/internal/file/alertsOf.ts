import type { Alert } from "@understudy/core/Health"
import type { Config } from "../../Config.ts"

/** The alerts of a file, each on its own route. */
export const alertsOf = ({ routes }: Pick<Config, "routes">): ReadonlyArray<Alert> =>
  Object.entries(routes).flatMap(([run, { alert }]) => (alert === undefined ? [] : [{ ...alert, run }]))
