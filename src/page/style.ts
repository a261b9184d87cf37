/** The one style of a page. Every pair of text and ground has a contrast of at least 4.5 (WCAG 2.2, 1.4.3). */
export const STYLE = `
:root{color-scheme:light dark;--bg:#fbfbf9;--fg:#1c1e21;--dim:#5d646c;--line:#dcdedb;--card:#fff;--own:#c9cdd2;--ownt:#1c1e21;--bad:#b42318;--badbg:#fdecea;--ok:#1f7a4d;
--h0:#2f6fd0;--h1:#b3541e;--h2:#1b7f50;--h3:#8a4fc4;--h4:#816a00;--h5:#c23b6b;--h6:#007680;--h7:#666a28;--ht:#fff}
@media(prefers-color-scheme:dark){:root{--bg:#15171a;--fg:#e8e8e4;--dim:#a2a9b1;--line:#33383d;--card:#1d2023;--own:#4b525a;--ownt:#f0f0ee;--bad:#ff8a7a;--badbg:#3a1d1a;--ok:#6fd3a0;
--h0:#7fb0f5;--h1:#e79a63;--h2:#67c79b;--h3:#c29aee;--h4:#d9c04a;--h5:#f08fb1;--h6:#5cc4cf;--h7:#b7bb6e;--ht:#101214}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif}
main{max-width:1080px;margin:0 auto;padding:28px 24px 60px}
h1{font-size:22px;margin:0;overflow-wrap:anywhere}h2{font-size:16px;margin:34px 0 10px}
code{font:13px ui-monospace,"DejaVu Sans Mono",monospace;overflow-wrap:anywhere}
.dim{color:var(--dim)}a{color:inherit}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(170px,1fr));gap:10px;margin:18px 0 6px}
.tile{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:10px 14px}
.tile b{display:block;font-size:21px;font-variant-numeric:tabular-nums}.tile.bad b{color:var(--bad)}
.pic{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:16px 18px 6px;overflow-x:auto}
svg{width:100%;min-width:720px;height:auto;display:block;font:13px system-ui,"DejaVu Sans",sans-serif}svg.wide{min-width:2200px}
.im{font-weight:700;fill:var(--fg)}.pl,.tot{fill:var(--fg)}.tot{font-variant-numeric:tabular-nums}
.ax{fill:var(--dim);font-size:11.5px;text-anchor:middle}.gr{stroke:var(--line);stroke-width:1}.note{fill:var(--dim);font-style:italic}
.own rect{fill:var(--own)}.b text{fill:var(--ht)}.b.own text{fill:var(--ownt)}
${[0, 1, 2, 3, 4, 5, 6, 7].map((hue) => `.h${hue} rect,path.h${hue}{fill:var(--h${hue})}b.h${hue}{background:var(--h${hue})}`).join('')}
path.own{fill:var(--own)}b.own{background:var(--own);color:var(--ownt)}
td code[title]{white-space:nowrap}.lt{font-weight:700}.sz{text-anchor:end;font-size:12px}.lk{opacity:.16}
.miss rect{fill:url(#hatch);stroke:var(--bad);stroke-width:1.5;stroke-dasharray:4 3}
.b.miss text{fill:var(--bad);font-weight:600;paint-order:stroke;stroke:var(--card);stroke-width:4px}
.hb{fill:var(--badbg)}.hl{stroke:var(--bad);stroke-width:1.5;opacity:.45}.absent{fill:none;stroke:var(--dim);stroke-dasharray:4 3}
.st-complete{fill:var(--ok);color:var(--ok)}.st-incomplete{fill:var(--bad);color:var(--bad)}.st-absent{fill:var(--dim);color:var(--dim)}
.b:hover rect,.b:focus rect,.b.on rect{stroke:var(--fg);stroke-width:2.5}.b:focus{outline:none}
.legend{display:flex;flex-wrap:wrap;gap:6px 20px;margin:4px 0 10px;color:var(--dim);font-size:13px}
.legend i{display:inline-block;width:18px;height:12px;border-radius:2px;vertical-align:-1px;margin-right:6px}
.lg0{background:var(--h0)}.lg1{background:var(--own)}.lg2{background:var(--badbg);border:1.5px dashed var(--bad)}
.k{display:inline-block;min-width:20px;text-align:center;border-radius:3px;color:var(--ht);font-size:12px;padding:0 4px}
.pill{color:var(--bad);font-weight:600}
.scroll{overflow-x:auto}table{width:100%;border-collapse:collapse;font-size:13.5px;margin:8px 0}
th{text-align:left;color:var(--dim);font-weight:600}td,th{padding:5px 10px 5px 0;border-bottom:1px solid var(--line);vertical-align:top}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}tr.bad td{background:var(--badbg)}
details.row{background:var(--card);border:1px solid var(--line);border-radius:8px;margin:8px 0;padding:0 14px}
summary{cursor:pointer;padding:9px 0;display:flex;gap:4px 8px;align-items:baseline;flex-wrap:wrap}summary span{overflow-wrap:anywhere}.sp{flex:1}
dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 16px;margin:0 0 10px}dt{color:var(--dim);max-width:240px;overflow-wrap:anywhere}dd{margin:0;min-width:0}
.labels dl{margin-top:6px}.labels summary{padding:0}
input{font:inherit;color:inherit;background:var(--card);border:1px solid var(--dim);border-radius:6px;padding:6px 10px;width:min(360px,100%)}
:focus-visible{outline:3px solid var(--h0);outline-offset:2px}.bar{display:flex;gap:12px;align-items:center;flex-wrap:wrap}
footer{margin-top:40px;color:var(--dim);font-size:13px}[hidden]{display:none!important}
@media(max-width:620px){main{padding:16px 12px}dl{grid-template-columns:1fr}dt{margin-top:6px}.also{display:none}}
@media print{.bar{display:none}details.row{break-inside:avoid}.pic{overflow:visible}svg{min-width:0}}
`;
