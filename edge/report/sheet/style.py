"""How the page looks, on a screen in the light, in the dark, and on paper. Colours differ in lightness as well as in hue.

Hues after Okabe and Ito (2008), which people with any colour vision tell apart; the battery is hatched besides, and lines
differ by their dashes.
"""

LIGHT = (
    "--fg:#16191d;--dim:#555c66;--bg:#fff;--panel:#f4f5f7;--rule:#d5d9df;--grid:#2f6db5;--pv:#e3a008;--bat:#0b7a5c;"
    "--out:#a25d92;--soc:#b9ddd2;--bad:#b42318;--warn:#b45309"
)
DARK = (
    "--fg:#e8eaed;--dim:#a3abb6;--bg:#14171b;--panel:#1d2127;--rule:#363c45;--grid:#6ba6e8;--pv:#f2c14b;--bat:#3fbf95;"
    "--out:#d39ac6;--soc:#24524a;--bad:#ff8a7a;--warn:#f5b454"
)
HATCH = (
    '<svg width="0" height="0" aria-hidden="true"><defs>'
    '<pattern id="hb" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<rect width="6" height="6" fill="var(--bat)"/><line class="ink" x1="0" y1="0" x2="0" y2="6"/></pattern>'
    '<pattern id="hg" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(-45)">'
    '<line class="mark" x1="0" y1="0" x2="0" y2="7"/></pattern></defs></svg>'
)
STYLE = f"""
:root{{color-scheme:light dark;{LIGHT}}}
@media(prefers-color-scheme:dark){{:root{{{DARK}}}}}
*{{box-sizing:border-box}}
body{{font:15px/1.45 system-ui,sans-serif;color:var(--fg);background:var(--bg);margin:0 auto;max-width:62rem;padding:1.2rem}}
h1{{font-size:1.5rem;margin:0}}h2{{font-size:1.05rem;margin:1.5rem 0 .35rem}}
p{{margin:.4rem 0}}.s,figcaption{{color:var(--dim);font-size:.84rem}}
.tiles{{display:grid;grid-template-columns:repeat(auto-fit,minmax(11.5rem,1fr));gap:.6rem;margin:1rem 0}}
.tile{{background:var(--panel);border-radius:.4rem;padding:.55rem .75rem}}
.tile b{{display:block;font-size:1.3rem;font-weight:600;white-space:nowrap;font-variant-numeric:tabular-nums}}
.flag{{border-left:.3rem solid var(--warn);background:var(--panel);padding:.4rem .8rem;margin:.8rem 0}}
figure{{margin:0}}figure>svg{{display:block;width:100%;height:auto}}
figcaption .key{{display:inline-block;margin-right:1.1rem;white-space:nowrap}}
.key svg{{width:26px;height:12px;margin-right:.35rem;vertical-align:-1px}}
.two{{display:grid;grid-template-columns:repeat(auto-fit,minmax(19rem,1fr));gap:0 1rem}}
table{{border-collapse:collapse;width:100%;margin:.3rem 0}}
th,td{{padding:.22rem .55rem;text-align:left;border-bottom:1px solid var(--rule);vertical-align:top;overflow-wrap:anywhere}}
th{{font-weight:600;background:var(--panel)}}
.n{{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}}
.wide{{overflow-x:auto}}.alarm{{color:var(--bad)}}.warning{{color:var(--warn)}}td.t{{white-space:nowrap}}
ul{{margin:.3rem 0;padding-left:1.2rem}}li{{margin:.15rem 0}}
svg text{{font:12px system-ui,sans-serif;fill:var(--fg)}}svg .s{{fill:var(--dim)}}
.grid{{stroke:var(--rule);stroke-width:1}}path.grid,rect.grid{{fill:var(--grid);stroke:none}}
.zero{{stroke:var(--fg);stroke-width:1}}
.pv{{fill:var(--pv)}}.bat,.bat-out{{fill:url(#hb)}}.grid-out{{fill:var(--out)}}.soc{{fill:var(--soc)}}
.ink{{stroke:var(--bg);stroke-width:1.4}}.mark{{stroke:var(--rule);stroke-width:2}}.gap{{fill:url(#hg)}}
.l{{fill:none;stroke-width:1.8;stroke-linejoin:round}}
.l.load{{stroke:var(--fg)}}.l.it{{stroke:var(--fg);stroke-dasharray:5 3;stroke-width:1.3}}
.l.charge{{stroke:var(--bat)}}
.l.grid-l{{stroke:var(--grid);stroke-dasharray:9 3}}.l.weak{{stroke-dasharray:2 4}}
.l.bat-l{{stroke:var(--bat);stroke-dasharray:4 2 1 2}}
.e.alarm{{fill:var(--bad)}}.e.warning{{fill:var(--warn)}}
@media(max-width:44rem){{figure>svg[viewBox^="0 0 920"] text{{font-size:16px}}}}
@media print{{:root{{color-scheme:light;{LIGHT}}}body{{padding:0;max-width:none;font-size:11px}}
figure,tr,.tiles,.flag{{break-inside:avoid}}h2{{break-after:avoid}}
*{{-webkit-print-color-adjust:exact;print-color-adjust:exact}}}}
@page{{size:A4;margin:13mm}}
""".strip()
