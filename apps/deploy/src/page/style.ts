export const BOARD_STYLE = `
#subtitle { margin: 0 0 .8rem; overflow-wrap: anywhere; }
nav { display: flex; flex-wrap: wrap; gap: .5rem; margin-top: 1rem; }
nav button[aria-current=true] { border-color: var(--accent); font-weight: 600; }
.banner { border: 1px solid var(--line); border-left: .4rem solid var(--faint); border-radius: .5rem; background: var(--card); padding: .7rem 1rem; margin: .8rem 0; font-size: 1.05rem; }
.banner .sign { font-weight: 700; margin-right: .3rem; }
.banner[data-tone=good] { border-left-color: var(--good); } .banner[data-tone=good] .sign { color: var(--good); }
.banner[data-tone=warn] { border-left-color: var(--warn); } .banner[data-tone=warn] .sign { color: var(--warn); }
.banner[data-tone=bad] { border-left-color: var(--bad); } .banner[data-tone=bad] .sign { color: var(--bad); }
.meters { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); gap: .5rem 2rem; }
.meter p { display: flex; justify-content: space-between; margin: 0 0 .2rem; font-size: .87rem; color: var(--faint); }
.meter b { color: var(--text); font-variant-numeric: tabular-nums; }
.track { height: .7rem; border-radius: .35rem; background: var(--line); overflow: hidden; }
.track div { height: 100%; width: 0; background: var(--busy); transition: width .25s linear; }
#runs .track div { background: var(--good); }
#waves { list-style: none; display: flex; gap: .3rem; padding: 0; margin: .8rem 0 0; }
#waves li { flex: 1 1 0; min-width: 1.6rem; border-top: .3rem solid var(--line); padding-top: .25rem; font-size: .82rem; color: var(--faint); white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
#waves li[data-state=started] { border-top: .3rem double var(--warn); color: var(--text); }
#waves li[data-state=healthy] { border-top-color: var(--good); color: var(--text); }
#waves li[data-state=failed] { border-top: .3rem dotted var(--bad); color: var(--bad); }
.columns { display: grid; grid-template-columns: minmax(0, 1fr) minmax(17rem, 22rem); gap: 0 1rem; align-items: start; }

.side .card:last-child { margin-bottom: 0; }
#legend { list-style: none; display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; padding: 0; margin: 0 0 .8rem; font-size: .87rem; }
#legend b { font-variant-numeric: tabular-nums; }
[data-tone] { --tone: var(--text); }
[data-tone=faint] { --tone: var(--faint); }
[data-tone=busy] { --tone: var(--busy); }
[data-tone=good] { --tone: var(--good); }
[data-tone=warn] { --tone: var(--warn); }
[data-tone=bad] { --tone: var(--bad); }
#legend .sign { color: var(--tone); font-weight: 700; }
#grid { display: grid; gap: .4rem; grid-template-columns: repeat(auto-fill, minmax(8.5rem, 1fr)); }
.cell { position: relative; text-align: left; padding: .45rem .6rem .7rem; border-color: color-mix(in srgb, var(--tone) 45%, var(--line)); min-width: 0; overflow: hidden; background: linear-gradient(to right, color-mix(in srgb, var(--tone) 14%, var(--card)) var(--share, 0%), var(--card) 0); }
.cell::after { content: ""; position: absolute; left: 0; bottom: 0; height: .25rem; width: var(--share, 0%); background: var(--tone); transition: width .25s linear; }
.cell .name { display: block; font-weight: 600; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.cell .state { display: block; font-size: .8rem; color: var(--faint); white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.cell .sign { color: var(--tone); font-weight: 700; float: right; margin-left: .4rem; }
.cell[data-tone=bad] { border-style: dashed; border-width: 2px; }
.cell[data-tone=warn] { border-style: double; border-width: 3px; }
.cell[aria-pressed=true] { outline: 2px solid var(--accent); outline-offset: 1px; }
#grid.dense { grid-template-columns: repeat(auto-fill, minmax(1.65rem, 1fr)); gap: .2rem; }
#grid.dense .cell { padding: 0; height: 1.65rem; text-align: center; border-radius: .25rem; line-height: 1.4rem; background: linear-gradient(to top, color-mix(in srgb, var(--tone) 28%, var(--card)) var(--share, 0%), var(--card) 0); }
#grid.dense .cell::after, #grid.dense .name, #grid.dense .state { display: none; }
#grid.dense .sign { float: none; margin: 0; }
#links { width: 100%; aspect-ratio: 1; display: block; }
#details h3 { margin: 0 0 .4rem; overflow-wrap: anywhere; }
#details dl { display: grid; grid-template-columns: auto 1fr; gap: .15rem .9rem; margin: 0; }
#details dt { color: var(--faint); }
#details dd { margin: 0; overflow-wrap: anywhere; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; max-height: 12rem; overflow: auto; background: var(--paper); border-radius: .4rem; padding: .5rem .7rem; margin: .4rem 0 0; font-size: .82rem; }
#failures td { overflow-wrap: anywhere; } #failures td:first-child, #failures td:nth-child(2) { white-space: nowrap; }
#failures .sign { color: var(--bad); font-weight: 700; }
@media (max-width: 60rem) { .columns { grid-template-columns: 1fr; } #waves { flex-wrap: wrap; } #waves li { flex-basis: 6rem; } }
`;
