import { style as theme } from "../drawing/theme.ts"

export const style = `${theme}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;font-variant-numeric:tabular-nums}
header,main,footer{max-width:74rem;margin:0 auto;padding:0 1.5rem}
header{display:flex;flex-wrap:wrap;align-items:baseline;gap:.25rem 1rem;padding-top:1.75rem}
h1{margin:0;font:italic 400 1.5rem/1.2 ui-serif,"Iowan Old Style","Palatino Linotype",Palatino,Georgia,serif;letter-spacing:.01em}
header p{margin:0;color:var(--quiet);font-size:.8125rem}
header p:last-child{margin-left:auto}
.lead{margin:1.25rem 0 1.5rem;font:400 1.625rem/1.3 ui-serif,"Iowan Old Style","Palatino Linotype",Palatino,Georgia,serif;text-wrap:balance}
section>h2,.route h2{margin:0;font-size:1.0625rem;font-weight:600}
section>h2{margin:2rem 0 .5rem}
.alerts{list-style:none;margin:0 0 1.5rem;padding:0}
.alerts li{display:flex;gap:.625rem;padding:.625rem .875rem;margin-top:.5rem;background:var(--surface);border:1px solid var(--rule);border-left:3px solid var(--mark)}
.alerts svg{margin-top:.3rem}
.route,.card{background:var(--surface);border:1px solid var(--rule);border-radius:3px;margin-bottom:1rem;padding:1rem 1.25rem .5rem}
.card{padding:.25rem 1.25rem}
.route-head{display:flex;flex-wrap:wrap;align-items:baseline;gap:.25rem 1.5rem;margin-bottom:.5rem}
.figures{display:flex;flex-wrap:wrap;gap:.125rem 1.25rem;margin:0;color:var(--quiet);font-size:.8125rem}
.figures div{display:flex;gap:.375rem}.figures dd{margin:0;color:var(--ink);font-weight:600}
table{width:100%;border-collapse:collapse}
th{padding:.25rem .5rem;color:var(--quiet);font-size:.75rem;font-weight:400;text-align:left;white-space:nowrap}
td{padding:.5rem;border-top:1px solid var(--rule);vertical-align:middle}
th:first-child,td:first-child{padding-left:0}th:last-child,td:last-child{padding-right:0}
.n{text-align:right;white-space:nowrap}
small{display:block;color:var(--quiet);font-size:.8125rem;overflow-wrap:anywhere}
.name{overflow-wrap:anywhere;font-weight:600}
.ladder td:first-child{position:relative;padding-left:1.75rem}
.ladder td:first-child:before{content:"";position:absolute;left:6px;top:0;bottom:0;border-left:1px solid var(--rule)}
.ladder tr:first-child td:first-child:before{top:50%}.ladder tr:last-child td:first-child:before{bottom:50%}
.ladder tr:only-child td:first-child:before{display:none}
.ladder .glyph{position:absolute;left:0;top:50%;margin-top:-6.5px}
.glyph{flex:none;display:block}.glyph .line{fill:none;stroke:var(--mark);stroke-width:1.75}.glyph .fill{fill:var(--mark)}.glyph .under{fill:var(--surface)}
.state{color:var(--mark)}
.strip{display:block;max-width:100%;height:auto}.strip .fill{fill:var(--mark)}.strip .line{fill:none;stroke:var(--mark)}.strip .base{stroke:var(--rule)}
.attempts td{padding:.3rem .5rem;font-size:.875rem}.attempts td:first-child{padding-left:0}.attempts td:last-child{padding-right:0}
.outcome{display:inline-flex;align-items:center;gap:.4rem;color:var(--mark)}
code{font:.8125rem ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;color:var(--quiet)}
footer{padding-top:1rem;padding-bottom:2rem;color:var(--quiet);font-size:.8125rem}
a{color:inherit;text-underline-offset:.15em}
a:focus-visible{outline:2px solid var(--s1);outline-offset:2px}
.lost main{opacity:.55}.lost #live{color:var(--bad)}
.unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.ladder,.models{table-layout:fixed}
.ladder .n{width:5.5rem}.models .n{width:5rem}.checks .n{width:6.5rem}.checks .last{width:16.5rem}.checks small{font-weight:400}
.wide{width:220px;padding-left:1.25rem}.breaker{width:16.5rem}
@media(max-width:58rem){
header,main,footer{padding-left:1rem;padding-right:1rem}
.lead{font-size:1.375rem;margin:1rem 0}
.route{padding:.875rem .875rem .25rem}.card{padding:.25rem .875rem}
thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
table,tbody{display:block}
tr{display:grid;gap:.25rem .75rem;padding:.75rem 0;border-top:1px solid var(--rule);align-items:baseline}
tbody tr:first-child{border-top:0}
td,.attempts td{display:block;padding:0;border:0}
.ladder .n,.models .n{width:auto;text-align:left}
.ladder .n:before,.models .n:before{content:attr(data-of);display:block;color:var(--quiet);font-size:.75rem}
.ladder tr{position:relative;grid-template-columns:repeat(4,minmax(0,7rem)) 1fr;padding-left:1.75rem}
.ladder td:first-child{position:static;padding:0;grid-column:1/5}
.ladder td:first-child:before,.ladder tr:first-child td:first-child:before,.ladder tr:last-child td:first-child:before{top:0;bottom:0}
.ladder tr:first-child td:first-child:before{top:1.4rem}.ladder tr:last-child td:first-child:before{bottom:calc(100% - 1.4rem)}
.ladder .glyph{top:1.4rem}
.ladder .state{grid-column:5;text-align:right;min-width:5.5rem}
.ladder .state:has(small){grid-column:1/-1;text-align:left}.state small{display:inline;margin-left:.5rem}
.ladder td:first-child:has(+.state small){grid-column:1/-1}
.models tr{grid-template-columns:repeat(auto-fit,minmax(6rem,1fr))}.models .name,.checks .last{grid-column:1/-1}.checks .n,.checks .last{width:auto}
.wide{width:auto;padding:0;grid-column:1/-1}.wide:empty{display:none}
.attempts tr{grid-template-columns:4.25rem 1fr auto}
.attempts td:nth-child(1){grid-area:1/1}.attempts td:nth-child(2){grid-area:1/2}.attempts td:nth-child(5){grid-area:1/3}
.attempts td:nth-child(3){grid-area:2/2;color:var(--quiet)}.attempts td:nth-child(7){grid-area:2/3}
.attempts td:nth-child(4){display:none}.attempts .why{grid-area:3/2/4/4}.attempts .why:empty{display:none}
.attempts td:nth-child(8){grid-area:4/2/5/4}
}
@media(min-width:36rem) and (max-width:58rem){.ladder .wide{grid-column:5;justify-self:end}}
@media(max-width:36rem){.ladder tr{grid-template-columns:repeat(4,1fr)}.ladder td:first-child{grid-column:1/4}.ladder .state{grid-column:4}.checks tr{grid-template-columns:1.4fr repeat(3,1fr)}}
@media print{body{background:#fff}.route,.card{break-inside:avoid}}
`
