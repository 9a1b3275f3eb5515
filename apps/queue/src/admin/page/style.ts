export const STYLE = `
#rows svg { width: 5.5rem; height: 1.2rem; margin-right: .7rem; vertical-align: middle; }
#rows svg + span { display: inline-block; min-width: 6ch; }
#rows svg path { fill: none; stroke: var(--line-1); stroke-width: 1.5; vector-effect: non-scaling-stroke; }
.back { margin: 1rem 0 0; }
.title { display: flex; flex-wrap: wrap; gap: .4rem 1rem; align-items: center; margin: .3rem 0 1rem; }
.title h1 { margin: 0; outline: none; }
.title .actions { margin: 0 0 0 auto; }
#notice, #done { border-left: .3rem solid var(--bad); background: var(--card); padding: .6rem 1rem; border-radius: .3rem; }
#done { border-color: var(--good); }
#messages { list-style: none; margin: 0; padding: 0; }
#messages li { border-top: 1px solid var(--line); padding: .6rem 0; }
#messages .about { display: flex; flex-wrap: wrap; gap: .1rem 1rem; margin: 0 0 .3rem; font-size: .85rem; color: var(--faint); }
#messages .about .badge { color: var(--busy); }
#messages .about .badge.delayed { color: var(--warn); }
#messages pre { margin: 0; max-height: 16rem; overflow: auto; white-space: pre-wrap; overflow-wrap: anywhere; font: .85rem/1.5 var(--mono); }
summary { cursor: pointer; font-weight: 600; }
.pairs { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.5rem; margin: .8rem 0 0; }
.pairs div { display: contents; }
.pairs dt { color: var(--faint); }
.pairs dd { margin: 0; overflow-wrap: anywhere; }
.danger:not(:disabled) { color: var(--bad); border-color: var(--bad); }
@media (max-width: 40rem) {
  #rows svg { display: none; }
  .title .actions { margin-left: 0; }
}
`;
