export const STYLE = `
.bar { display: flex; flex-wrap: wrap; gap: .6rem 1.2rem; align-items: center; margin-bottom: .6rem; }
.bar h2 { margin: 0; flex: 1; }
.bar #matching { margin-left: auto; }
#queues th { white-space: nowrap; }
#queues td { white-space: nowrap; }
#queues td:first-child { max-width: 26rem; overflow: hidden; text-overflow: ellipsis; }
#queues td:first-child a { color: var(--accent); }
#queues .zero { color: var(--faint); }
#queues svg { width: 5.5rem; height: 1.2rem; margin-right: .7rem; vertical-align: middle; }
#queues svg + span { display: inline-block; min-width: 6ch; }
#queues svg path { fill: none; stroke: var(--line-1); stroke-width: 1.5; vector-effect: non-scaling-stroke; }
.badge { border: 1px solid currentColor; border-radius: 1rem; padding: 0 .55rem; font-size: .75rem; color: var(--warn); white-space: nowrap; }
#queues .badge { margin-left: .5rem; }
.back { margin: 1rem 0 0; }
a { color: var(--accent); }
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
  #queues svg { display: none; }
  .title .actions { margin-left: 0; }
}
`;
