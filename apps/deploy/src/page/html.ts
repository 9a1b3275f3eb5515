import { page } from '@rookery/service';
import { STATES } from '../progress/states.ts';
import { drawLinks } from './links.ts';
import { showBoards } from './program.ts';
import { BOARD_STYLE } from './style.ts';

const MAIN = `
<nav id="boards" aria-label="Swarms" hidden></nav>
<h1 id="title">Nothing to see yet</h1>
<p id="subtitle" class="faint">It comes by itself.</p>
<div id="banner" class="banner" role="status" hidden><span class="sign" aria-hidden="true"></span> <span class="said"></span></div>
<div id="board" hidden>
<div class="meters">
<div id="has"></div>
<div id="runs"></div>
</div>
<dl class="figures" id="figures"></dl>
<ol id="waves" aria-label="Waves"></ol>
<div class="columns">
<div class="main">
<section class="card" aria-labelledby="hosts-title">
<h2 id="hosts-title">Hosts</h2>
<ul id="legend" aria-label="States"></ul>
<div id="grid" role="group" aria-label="Hosts; the arrow keys go from one to the next"></div>
</section>
<section class="card" id="failures" aria-labelledby="failures-title" hidden>
<h2 id="failures-title">Failed</h2>
<div class="scrolls"><table><thead><tr><th scope="col">Host</th><th scope="col">State</th><th scope="col">At</th><th scope="col">Why</th></tr></thead><tbody id="failed"></tbody></table></div>
</section>
<section class="card" id="warnings" aria-labelledby="warnings-title" hidden>
<h2 id="warnings-title">Warnings</h2>
<ul id="warned"></ul>
</section>
</div>
<div class="side">
<section class="card" id="details" aria-live="polite" aria-labelledby="details-title">
<h2 id="details-title">Host</h2>
<div id="details-body"><p class="faint">Choose one in the grid.</p></div>
</section>
<section class="card" id="swarm" aria-labelledby="links-title">
<h2 id="links-title">The swarm’s links</h2>
<canvas id="links" role="img" aria-label="no links yet"></canvas>
</section>
<div id="rate"></div>
</div>
</div>
</div>`;

const SHOWN: Readonly<Record<string, { readonly sign: string; readonly tone: string }>> = {
  ...STATES,
  origin: { sign: '◆', tone: 'plain' },
};

/** The page of pushes and of swarms. */
export const BOARD_PAGE: string = page({
  app: 'deploy',
  style: BOARD_STYLE,
  main: MAIN,
  script: `(${showBoards})(rookery, ${JSON.stringify(SHOWN)}, ${drawLinks});\n`,
});
