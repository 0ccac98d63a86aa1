/**
 * Where an error was thrown, a line for each of the calls that led there. Of its message, which may quote what it was
 * thrown over, and that may look like a stack, nothing is left.
 */
export const framesOf = ({ message, name, stack = "" }: Error): string | undefined => {
  const rest = stack.startsWith(name) ? stack.slice(name.length) : stack
  const quoted = rest.indexOf(message)
  // It was changed after the stack had been written, with another in it.
  if (quoted === -1) return undefined
  const frames = rest
    .slice(quoted + message.length)
    .split("\n")
    .filter((line) => frame.test(line))
    .map((line) => line.trim())
    .slice(0, mostFrames)
  return frames.length === 0 ? undefined : frames.join("\n")
}

const frame = /^ +at .*(?::\d+:\d+|<anonymous>)\)?$/

const mostFrames = 20
