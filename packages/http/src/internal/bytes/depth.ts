/**
 * Far more than any real request. `JSON.parse` accepts any depth, but its result overflows the stack of recursive code
 * such as `JSON.stringify`, and millions of levels block the event loop for seconds.
 */
export const maxDepth = 512

/** Whether JSON is nested deeper than that. For invalid JSON, judged by its valid-looking part. */
export const isTooDeep = (text: string): boolean =>
  // Each level takes two characters, and an unclosed one is no JSON. Few texts have that many brackets.
  text.length > 2 * maxDepth && hasManyOpenings(text) && nests(text)

const hasManyOpenings = (text: string): boolean => {
  let left = maxDepth
  for (const opening of ["{", "["]) {
    for (let at = text.indexOf(opening); at !== -1; at = text.indexOf(opening, at + 1)) {
      if (left-- === 0) return true
    }
  }
  return false
}

const nests = (text: string): boolean => {
  let depth = 0
  let quoted = false
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!
    if (char === '"') quoted = !quoted
    else if (quoted) at += char === "\\" ? 1 : 0
    else if (char === "[" || char === "{") {
      if (++depth > maxDepth) return true
    } else if (char === "]" || char === "}") depth--
  }
  return false
}
