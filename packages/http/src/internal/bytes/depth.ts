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
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at)
    if (char === QUOTE) at = endOfString(text, at)
    else if (char === OPEN_BRACKET || char === OPEN_BRACE) {
      if (++depth > maxDepth) return true
    } else if (char === CLOSE_BRACKET || char === CLOSE_BRACE) depth--
  }
  return false
}

const endOfString = (text: string, from: number): number => {
  let quote = text.indexOf('"', from + 1)
  while (quote !== -1 && isEscaped(text, quote)) quote = text.indexOf('"', quote + 1)
  return quote === -1 ? text.length : quote
}

const isEscaped = (text: string, at: number): boolean => {
  let before = at
  while (text.charCodeAt(before - 1) === BACKSLASH) before--
  return (at - before) % 2 === 1
}

const QUOTE = 0x22
const OPEN_BRACKET = 0x5b
const BACKSLASH = 0x5c
const CLOSE_BRACKET = 0x5d
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
