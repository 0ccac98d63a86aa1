import { clock } from "../drawing/figures.ts"
import { type Html, html, raw } from "../drawing/html.ts"
import { style } from "../drawing/theme.ts"
import * as plots from "./plots.ts"
import type { Review } from "./summary.ts"
import { text } from "./text.ts"

/** The report as one page, with plots and nothing from elsewhere. */
export const page = (review: Review): string => {
  const title = `Understudy, ${(review.from ?? "").slice(0, 10)} to ${(review.to ?? "").slice(0, 10)}`
  return `<!doctype html>\n${
    html`<html lang="en"><head><meta charset="utf-8"><title>${title}</title><meta name="viewport" content="width=device-width,initial-scale=1"><style>${raw(style + own)}</style></head>
<body><main><h1>${title}</h1>${review.slices.length > 0 && pictures(review)}<h2>In figures</h2><pre>${text(review)}</pre></main></body></html>`
      .text
  }\n`
}

const pictures = (review: Review): ReadonlyArray<Html> => {
  const each = `each ${clock(review.slice_ms)}`
  const models = plots.atMost([...review.models].sort((a, b) => b.due - a.due)).map(({ model }) => model)
  const routes = plots.atMost([...review.routes].sort((a, b) => b.runs - a.runs)).map(({ route }) => route)
  const errors = plots.largest(review, ({ errors }) => errors)
  const tokens = review.slices.some((slice) => Object.keys(slice.tokens).length > 0)
  return [
    plots.stacks(
      review,
      "Who served",
      `runs, ${each}`,
      plots.largest(review, ({ routed }) => routed)
    ),
    plots.lines(
      review,
      "Success rate by model",
      "of the runs it was due in",
      models.map((name) => ({ name, of: ({ models }) => models[name]?.success_rate ?? undefined })),
      "percent"
    ),
    plots.lines(
      review,
      "p95 latency by model",
      "of its answers, streams to their end",
      models.map((name) => ({ name, of: ({ models }) => models[name]?.p95_ms ?? undefined })),
      "span"
    ),
    plots.lines(
      review,
      "Fallback rate by route",
      "of the runs that were answered",
      routes.map((name) => ({ name, of: ({ routes }) => routes[name]?.fallback_rate ?? undefined })),
      "percent"
    ),
    ...(errors.length > 0 ? [plots.stacks(review, "Failed attempts by type", each, errors)] : []),
    ...(review.breakers.length > 0 ? [plots.breakers(review)] : []),
    ...(tokens
      ? [
          plots.stacks(
            review,
            "Tokens by model",
            each,
            models.map((name) => ({ name, of: ({ tokens }) => tokens[name] }))
          )
        ]
      : [])
  ]
}

const own = `
body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main{max-width:60rem;margin:0 auto;padding:1.75rem 1rem}
h1{margin:0 0 1.25rem;font:400 1.625rem/1.3 ui-serif,"Iowan Old Style","Palatino Linotype",Palatino,Georgia,serif}
h2{margin:2rem 0 .5rem;font-size:1.0625rem}
figure{margin:0 0 1rem;padding:.75rem .875rem;background:var(--surface);border:1px solid var(--rule);border-radius:3px}
figcaption{margin-bottom:.5rem;color:var(--quiet);font-size:.8125rem}figcaption b{margin-right:.375rem;color:var(--ink);font-size:.9375rem}
.keys{display:flex;flex-wrap:wrap;gap:.125rem 1rem}.keys span{display:flex;align-items:center;gap:.375rem;overflow-wrap:anywhere}
.keys .line{fill:none;stroke:var(--mark);stroke-width:2.5}.keys .fill{fill:var(--mark)}
figure>svg{display:block;max-width:100%;height:auto}
.line.s2{stroke-dasharray:7 3}.line.s3{stroke-dasharray:2 3}.line.s4{stroke-dasharray:9 3 2 3}.line.s5{stroke-dasharray:4 2}.line.s6{stroke-dasharray:1 4}
pre{overflow-x:auto;padding:.875rem;background:var(--surface);border:1px solid var(--rule);font:.8125rem/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
`
