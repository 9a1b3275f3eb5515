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
button, input { font: inherit; color: inherit; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
#token-form { margin: 2rem 0; }
#token-form input, #token-form button { padding: .4rem .7rem; border: 1px solid var(--line); border-radius: .4rem; background: var(--card); }
@media (prefers-reduced-motion: reduce) { * { transition: none !important; animation: none !important; } }
`;
