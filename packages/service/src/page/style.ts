/** What the pages of all apps look like. Colours are told apart by lightness too, and never say anything alone. */
export const PAGE_STYLE = `
:root {
  color-scheme: light dark;
  --paper: light-dark(#f6f7f9, #14171c);
  --card: light-dark(#ffffff, #1c2128);
  --line: light-dark(#d5dae1, #343b45);
  --text: light-dark(#1b2430, #e3e8ef);
  --faint: light-dark(#5b6776, #98a4b3);
  --accent: light-dark(#2563a8, #6cb0f5);
  --good: light-dark(#1c7a4c, #4cc38a);
  --busy: light-dark(#2563a8, #6cb0f5);
  --warn: light-dark(#8a5a00, #f0b44c);
  --bad: light-dark(#b3261e, #ff8a80);
  --line-1: light-dark(#0068ad, #5fb4f0);
  --line-2: light-dark(#c4560a, #f0a63c);
  --line-3: light-dark(#007d5c, #38cfa2);
  --line-4: light-dark(#8b3f84, #e29ad8);
  --mono: ui-monospace, "SFMono-Regular", "DejaVu Sans Mono", Menlo, Consolas, monospace;
}
* { box-sizing: border-box; }
html { background: var(--paper); color: var(--text); font: 15px/1.45 system-ui, "DejaVu Sans", sans-serif; }
body { margin: 0 auto; max-width: 88rem; padding: 0 1.25rem 3rem; }
[hidden] { display: none !important; }
.skip { position: absolute; left: -99rem; }
.skip:focus { left: 1rem; top: 1rem; background: var(--card); padding: .5rem 1rem; z-index: 9; }
header.page { display: flex; justify-content: space-between; align-items: center; padding: .8rem 0; border-bottom: 1px solid var(--line); }
header.page p { margin: 0; }
.brand { letter-spacing: .02em; color: var(--faint); }
.brand b { color: var(--text); }
#connection { color: var(--faint); font-size: .87rem; }
#connection[data-state=live] .sign { color: var(--good); }
#connection[data-state=lost] { color: var(--bad); }
main { outline: none; }
h1 { font-size: 1.55rem; line-height: 1.2; margin: 1.3rem 0 .3rem; overflow-wrap: anywhere; }
h2 { font-size: .82rem; text-transform: uppercase; letter-spacing: .07em; color: var(--faint); margin: 0 0 .6rem; font-weight: 600; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: 1rem 1.1rem; margin: 1rem 0; }
.faint { color: var(--faint); }
.mono { font-family: var(--mono); font-size: .87rem; }
.figures { display: flex; flex-wrap: wrap; gap: .5rem 2.2rem; margin: .8rem 0; padding: 0; }
.figures div { min-width: 5rem; }
.figures dt { color: var(--faint); font-size: .8rem; }
.figures dd { margin: 0; font-size: 1.25rem; font-variant-numeric: tabular-nums; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .35rem .9rem .35rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--faint); font-weight: 600; font-size: .82rem; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
tr:last-child td { border-bottom: 0; }
button, input, select { font: inherit; color: inherit; }
button, input, select, dialog { border: 1px solid var(--line); border-radius: .4rem; background: var(--card); color: var(--text); }
button, input, select { padding: .3rem .65rem; }
button { cursor: pointer; }
button:hover:not(:disabled) { border-color: var(--accent); }
button:disabled { opacity: .5; cursor: default; }
button.primary { background: var(--accent); border-color: var(--accent); color: var(--card); }
button.plain { border: 0; background: none; padding: 0; font-weight: inherit; text-align: inherit; }
button.plain:hover { text-decoration: underline; }
dialog { padding: 1.1rem 1.3rem; width: min(30rem, calc(100vw - 2rem)); }
dialog::backdrop { background: rgb(0 0 0 / .45); }
dialog h2 { font-size: 1.1rem; text-transform: none; letter-spacing: 0; color: var(--text); overflow-wrap: anywhere; }
dialog label { display: block; margin: .7rem 0; }
dialog input, dialog select { display: block; width: 100%; margin-top: .2rem; }
.actions { display: flex; flex-wrap: wrap; gap: .6rem; justify-content: flex-end; margin: 1rem 0 0; }
.bar { display: flex; flex-wrap: wrap; gap: .6rem 1.2rem; align-items: center; margin-bottom: .6rem; }
.bar h2 { margin: 0; flex: 1; }
.bar .told { margin-left: auto; }
.badge { border: 1px solid currentColor; border-radius: 1rem; padding: 0 .55rem; font-size: .75rem; color: var(--warn); white-space: nowrap; }
td .badge { margin-left: .5rem; }
.scrolls th, .scrolls td { white-space: nowrap; }
.scrolls td:first-child { max-width: 26rem; overflow: hidden; text-overflow: ellipsis; }
.scrolls .zero { color: var(--faint); }
a { color: var(--accent); }
.scrolls { overflow-x: auto; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(19rem, 100%), 1fr)); gap: 1rem; margin: 1rem 0; }
.chart { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .8rem 1rem .6rem; margin: 0; display: flex; flex-direction: column; }
.chart figcaption { margin-bottom: .5rem; display: flex; flex-wrap: wrap; gap: 0 1rem; font-size: .87rem; color: var(--faint); }
.chart figcaption > :first-child { flex-basis: 100%; font-weight: 600; }
.chart .key b { color: var(--text); font-variant-numeric: tabular-nums; }
.chart .key::before { content: ""; display: inline-block; width: 1.1rem; margin-right: .4rem; vertical-align: middle; border-top: 3px solid var(--line-1); }
.chart .key.line-2::before { border-top-style: dashed; border-color: var(--line-2); }
.chart .key.line-3::before { border-top-style: dotted; border-color: var(--line-3); }
.chart .key.line-4::before { border-top-style: double; border-color: var(--line-4); }
.chart .plot { position: relative; height: 6.5rem; margin-top: auto; border: solid var(--line); border-width: 1px 0; }
.chart svg { width: 100%; height: 100%; display: block; }
.chart svg path { fill: none; stroke: var(--line-1); stroke-width: 2; stroke-linejoin: round; vector-effect: non-scaling-stroke; }
.chart svg .line-2 { stroke: var(--line-2); stroke-dasharray: 6 3; }
.chart svg .line-3 { stroke: var(--line-3); stroke-dasharray: 2 3; }
.chart svg .line-4 { stroke: var(--line-4); stroke-dasharray: 9 3 2 3; }
.chart svg .pointer { stroke: var(--faint); stroke-width: 1; stroke-dasharray: none; }
.chart .top { position: absolute; left: 0; top: 0; }
.chart .top, .chart .axis { font-size: .75rem; color: var(--faint); }
.chart .axis { display: flex; justify-content: space-between; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
#token-form { margin: 2rem 0; }
@media (prefers-reduced-motion: reduce) { * { transition: none !important; animation: none !important; } }
`;
