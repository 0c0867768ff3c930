/** Of reports' pages; colours turn over with the reader's preference. */
export const STYLE = `
:root{color-scheme:light dark;--ground:#f7f7f5;--card:#fff;--ink:#1c1d21;--quiet:#6a6d76;
--rule:#e3e3de;--good:#18794e;--bad:#c62a2f;--node:#3b6fd4;--gateway:#a14fc4;--placement:#b5760b;
--nats:#0f8a86;--clients:#d0517d;--median:#3b6fd4;--slowest:#9aa1ae;
--high:#b5760b;--shade:#3b6fd40d}
@media (prefers-color-scheme:dark){:root{--ground:#131417;--card:#1c1e22;--ink:#e9e9ec;
--quiet:#9b9ea8;--rule:#2e3137;--good:#4cc38a;--bad:#ff7a7f;--node:#7da6ff;--gateway:#cf8ff0;
--placement:#e3ab4a;--nats:#4fc7c2;--clients:#f28ab0;--median:#7da6ff;--slowest:#666c78;
--high:#e3ab4a;--shade:#7da6ff14}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:1180px;margin:0 auto;padding:36px 24px 60px}
h1{font-size:28px;line-height:1.2;margin:0 0 6px;letter-spacing:-.01em}
h2{font-size:16px;margin:0 0 10px}
p{margin:0 0 8px}
.lead{font-size:17px;max-width:70ch;text-wrap:pretty}
.meta,.note,.quiet{color:var(--quiet)}
.meta,.note{font-size:13px}
.note{max-width:80ch}
.scroll+.note{margin-top:12px}
.caution{margin-top:16px;padding:10px 16px;border-left:3px solid var(--high);
background:var(--card)}
code{font:13px ui-monospace,monospace;color:var(--ink)}
section{background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:18px 20px;
margin-top:16px;min-width:0}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:16px;padding:0;
background:none;border:0}
.tile{background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:14px 16px}
.tile b{display:block;font-size:26px;line-height:1.15;font-variant-numeric:tabular-nums}
.tile span{font-size:13px;color:var(--quiet)}
.bad,.tile.bad b{color:var(--bad)}
.columns{display:grid;grid-template-columns:repeat(auto-fit,minmax(440px,1fr));gap:0 16px}
@media (max-width:520px){.columns{grid-template-columns:1fr}}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14px}
th{font-weight:600;font-size:12px;color:var(--quiet);text-align:left;padding:4px 10px 6px 0;
border-bottom:1px solid var(--rule);white-space:nowrap}
td{padding:5px 10px 5px 0;border-bottom:1px solid var(--rule);vertical-align:baseline}
tr:last-child td{border-bottom:0}
tr:target td{background:color-mix(in srgb,var(--node) 14%,transparent)}
.name{white-space:nowrap}
.number{font-variant-numeric:tabular-nums;white-space:nowrap}
.mark{font-size:12px;font-weight:600}
.kept{color:var(--good)}
.missed{color:var(--bad)}
.dot{display:inline-block;width:9px;height:9px;border-radius:50%;margin-right:7px}
.line{display:inline-block;width:16px;height:0;border-top:2px solid;margin-right:7px;
vertical-align:middle}
.dot.node{background:var(--node)}
.dot.gateway{background:var(--gateway)}
.dot.placement{background:var(--placement)}
.dot.nats{background:var(--nats)}
.dot.clients{background:var(--clients)}
.line.median{border-color:var(--median)}
.line.high{border-color:var(--high)}
.line.highest{border-color:var(--clients)}
.line.node{border-color:var(--node)}
.line.gateway{border-color:var(--gateway)}
.line.placement{border-color:var(--placement)}
.line.nats{border-color:var(--nats)}
.line.clients{border-color:var(--clients)}
.line.other{border-color:var(--slowest)}
.dot.slowest{background:var(--slowest)}
.legend{display:flex;flex-wrap:wrap;gap:4px 20px;font-size:13px;color:var(--quiet);margin:8px 0 0}
.kinds{columns:3 260px;list-style:none;margin:0;padding:0;font-size:14px}
.kinds li{break-inside:avoid;padding:2px 0}
.kinds b{display:inline-block;min-width:26px;margin-right:4px;font-variant-numeric:tabular-nums}
svg{display:block;width:100%;height:auto;min-width:760px}
svg text{font:11px system-ui,sans-serif;fill:var(--quiet)}
svg .rule{stroke:var(--rule)}
svg .bar{rx:3px}
svg .bar.open{fill-opacity:.35}
svg .strike{stroke-width:1;stroke-opacity:.28}
svg .node{fill:var(--node);stroke:var(--node)}
svg .gateway{fill:var(--gateway);stroke:var(--gateway)}
svg .placement{fill:var(--placement);stroke:var(--placement)}
svg .nats{fill:var(--nats);stroke:var(--nats)}
svg .clients{fill:var(--clients);stroke:var(--clients)}
svg .median{fill:none;stroke:var(--median);stroke-width:1.5}
.columns svg{min-width:0}
svg.plot polyline{fill:none;stroke-width:1.5;stroke-linejoin:round}
svg.plot .high{stroke:var(--high)}
svg.plot .highest{stroke:var(--clients)}
svg.plot .other{stroke:var(--slowest)}
svg .shade{fill:var(--shade)}
svg .slowest{fill:var(--slowest)}
`;
