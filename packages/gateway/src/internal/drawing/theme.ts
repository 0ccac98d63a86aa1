/**
 * The colours of everything that the program draws, for light and for dark. Text keeps a contrast of 4.5 to both
 * grounds, marks of 3: a test computes it.
 */
export const light = {
  ground: "#f8f7f3",
  surface: "#ffffff",
  ink: "#1d1c1a",
  quiet: "#5e5b54",
  rule: "#dcd8ce",
  ok: "#1b6b41",
  warn: "#865100",
  bad: "#b0241c",
  s1: "#2560a8",
  s2: "#b0500c",
  s3: "#177a63",
  s4: "#863fa6",
  s5: "#75660a",
  s6: "#b02f63"
}

export const dark: typeof light = {
  ground: "#121316",
  surface: "#1a1c20",
  ink: "#ebe8e1",
  quiet: "#a4a097",
  rule: "#34373d",
  ok: "#74cf9a",
  warn: "#efb45c",
  bad: "#ff8d83",
  s1: "#82b1fb",
  s2: "#f2a05c",
  s3: "#60cfae",
  s4: "#d29df0",
  s5: "#d2c255",
  s6: "#ff94b7"
}

const variables = (colours: typeof light): string =>
  Object.entries(colours)
    .map(([name, colour]) => `--${name}:${colour}`)
    .join(";")

const series = (["s1", "s2", "s3", "s4", "s5", "s6", "ok", "warn", "bad", "quiet"] as const)
  .map((name) => `.${name}{--mark:var(--${name})}`)
  .join("")

/** For the `style` of a page, or of an SVG that stands alone. */
export const style = `:root{color-scheme:light dark;${variables(light)}}
@media(prefers-color-scheme:dark){:root{${variables(dark)}}}
${series}
.plot{font:11px system-ui,sans-serif;font-variant-numeric:tabular-nums}
.plot text{fill:var(--quiet)}.plot .grid{stroke:var(--rule);fill:none}
.plot .line{fill:none;stroke:var(--mark);stroke-width:1.75;stroke-linecap:round;stroke-linejoin:round}
.plot .fill{fill:var(--mark)}
`
