const encoder = new TextEncoder()
// `ignoreBOM` keeps a byte order mark in the text, to be handled by the caller.
const lenient = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true })
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

export const byteOrderMark = "\uFEFF"

export const encode = (text: string): Uint8Array<ArrayBuffer> => encoder.encode(text)

/** Invalid bytes become U+FFFD. */
export const decode = (bytes: Uint8Array): string => lenient.decode(bytes)

/** `undefined` if the bytes are not UTF-8. */
export const decodeStrict = (bytes: Uint8Array): string | undefined => {
  try {
    return strict.decode(bytes)
  } catch {
    return undefined
  }
}

export const withoutMark = (text: string): string => (text.startsWith(byteOrderMark) ? text.slice(1) : text)
