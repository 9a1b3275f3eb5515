import { page, program } from '@rookery/service';
import { makeHistories } from './histories.ts';
import { makeList } from './list.ts';
import { makeMessages } from './messages.ts';
import { makeOne } from './one.ts';
import { queuesPage } from './program.ts';
import { STYLE } from './style.ts';

/** The web page of the admin port. */
export const QUEUES_PAGE: string = page({
  app: 'queue',
  style: STYLE,
  main: `
<p id="notice" role="alert" hidden></p>
<section id="list" aria-labelledby="list-title">
<h1 id="list-title">Queues</h1>
<div class="charts" id="totals"></div>
<div id="rows"></div>
<p id="empty" class="faint" hidden>No queue here. The first <code>put</code> to a name makes one.</p>
</section>
<section id="one" aria-labelledby="one-name" hidden>
<p class="back"><a href="#">← All queues</a></p>
<div class="title"><h1 id="one-name" tabindex="-1"></h1><span id="paused" class="badge" hidden>‖ paused</span>
<span class="actions"><button id="pause" type="button">Pause</button><button id="redrive" type="button">Redrive…</button><button id="flush" type="button">Flush…</button></span></div>
<p id="gone" class="faint" hidden>There is no such queue now.</p>
<p id="done" role="status" hidden></p>
<div class="charts" id="one-charts"></div>
<dl class="figures" id="figures"></dl>
<div class="card">
<div class="bar"><h2>Messages</h2>
<label>Show as <select id="format"><option value="auto">what they are</option><option value="text">text</option><option value="json">JSON</option><option value="hex">hex</option></select></label>
<button id="reload" type="button">Look again</button>
<span id="peeked" class="faint" role="status"></span></div>
<ol id="messages"></ol>
<p class="actions"><button id="more" type="button" hidden>More</button></p>
</div>
<details class="card"><summary>Settings</summary><dl id="settings" class="pairs mono"></dl></details>
</section>
`,
  script: program(queuesPage, { makeHistories, makeList, makeOne, makeMessages }),
});
