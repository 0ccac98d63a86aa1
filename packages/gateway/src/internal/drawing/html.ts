/**
 * Markup that may stand in a page. Text becomes markup only through {@link html}, which escapes it.
 */
export class Html {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

/** What a template may hold: nothing is written for `undefined` and `false`. */
type Part = string | number | Html | ReadonlyArray<Html> | undefined | false

/**
 * A template whose values are escaped unless they are markup themselves; also for SVG. A value stands between tags or
 * within the quotes of an attribute, nowhere else.
 */
export const html = (literals: TemplateStringsArray, ...parts: ReadonlyArray<Part>): Html =>
  new Html(literals.reduce((text, literal, index) => `${text}${written(parts[index - 1])}${literal}`))

const written = (part: Part): string => {
  if (part === undefined || part === false) return ""
  if (part instanceof Html) return part.text
  return typeof part === "object" ? part.map(({ text }) => text).join("") : escapeText(String(part))
}

/** Trusted markup. */
export const raw = (text: string): Html => new Html(text)

/** Also what no XML may hold, such as a control character, does not get through. */
const escapeText = (text: string): string =>
  text
    .replace(/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff]/gu, "\ufffd")
    .replace(/[&<>"'`]/g, (character) => `&#${character.charCodeAt(0)};`)
