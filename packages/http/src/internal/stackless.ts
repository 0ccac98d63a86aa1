/**
 * Makes an error without a stack: of one that says what an upstream did, it tells nobody anything, and it costs more
 * than all the rest of a failed attempt's reading.
 */
export const stackless = <E extends Error>(make: () => E): E => {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  try {
    return make()
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}
