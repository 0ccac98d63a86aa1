/**
 * Far more than anybody means. `JSON.parse` takes any depth, at a price: what comes of it overflows the stack of whoever
 * goes down into it, such as `JSON.stringify`, and millions of levels keep the event loop for seconds.
 */
export const maxDepth = 512

/** Whether JSON is nested deeper than that. Of what is no JSON it is as far as it looks like it. */
export const isTooDeep = (text: string): boolean =>
  // Each level takes two letters, and one that is not closed is no JSON. Nearly no text has so many brackets at all.
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
