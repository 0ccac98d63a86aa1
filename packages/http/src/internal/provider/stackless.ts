/** V8 has it, and no standard: without Node's types nothing knows of it. */
const limits = Error as typeof Error & { stackTraceLimit: number | undefined }

/**
 * Makes an error without a stack: of one that says what an upstream did, it tells nobody anything, and it costs more
 * than all the rest of a failed attempt's reading.
 */
export const stackless = <E extends Error>(make: () => E): E => {
  const { stackTraceLimit } = limits
  limits.stackTraceLimit = 0
  try {
    return make()
  } finally {
    limits.stackTraceLimit = stackTraceLimit
  }
}
