/** Specific to V8, and typed only by Node's types. */
const limits = Error as typeof Error & { stackTraceLimit: number | undefined }

/**
 * Makes an error without a stack trace: for an upstream's failure it is meaningless, and it costs more than everything
 * else about reading a failed answer.
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
