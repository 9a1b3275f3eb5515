export const STYLE = `
.title { display: flex; flex-wrap: wrap; gap: .4rem 1rem; align-items: center; margin: .3rem 0 1rem; }
.title h1 { outline: none; }
#all .title { margin-top: 0; }
#state[data-state=operational] { color: var(--good); }
#state { margin-top: .9rem; }
.ring { display: grid; grid-template-columns: minmax(16rem, 26rem) 1fr; gap: 1.5rem; align-items: center; }
.ring svg { width: 100%; }
#circle .path { fill: none; stroke: var(--line); stroke-width: 2; }
#circle .node { fill: var(--card); stroke: var(--line-1); stroke-width: 2.5; }
#circle .here .node { fill: var(--line-1); }
#circle .stranger .node { stroke: var(--bad); stroke-dasharray: 2 3; }
#circle .stranger text { fill: var(--faint); }
#circle text { font: 12px system-ui, "DejaVu Sans", sans-serif; fill: var(--text); text-anchor: middle; }
#circle .start { text-anchor: start; }
#circle .end { text-anchor: end; }
#circle .sign { font-size: 11px; dominant-baseline: central; }
#circle .here .sign { fill: var(--card); }
#circle .centre { font-size: 13px; fill: var(--faint); }
#circle .centre.big { font-size: 17px; fill: var(--text); font-weight: 600; }
.over { margin: 1.6rem 0 0; }
.back { margin: 1rem 0 0; }
#members { columns: 16rem; margin: 0; padding-left: 1.1rem; overflow-wrap: anywhere; }
#events { list-style: none; margin: 0; padding: 0; max-height: 32rem; overflow: auto; }
#events li { border-top: 1px solid var(--line); padding: .35rem 0; }
#events .about { display: flex; flex-wrap: wrap; gap: 0 1rem; margin: 0; font-size: .8rem; color: var(--faint); }
#events pre { margin: .1rem 0 0; white-space: pre-wrap; overflow-wrap: anywhere; max-height: 6rem; overflow: auto; font: .83rem/1.45 var(--mono); }
@media (max-width: 48rem) { .ring { grid-template-columns: 1fr; } }
`;
