import { page, program } from '@rookery/service';
import { makeGroup } from './group.ts';
import { busPage } from './program.ts';
import { makeRing } from './ring.ts';
import { STYLE } from './style.ts';

/** The web page of the admin port. */
export const BUS_PAGE: string = page({
  app: 'bus',
  style: STYLE,
  main: `
<section id="all" aria-labelledby="name">
<div class="title"><h1 id="name">Daemon</h1><span id="state" class="badge" role="status"></span></div>
<div class="card ring">
<svg id="circle" viewBox="-160 -112 320 224" aria-hidden="true"></svg>
<div class="scrolls"><h2>Daemons</h2><table>
<thead><tr><th scope="col">Name</th><th scope="col">Address</th><th scope="col">Is</th><th scope="col" class="number">Last heard</th></tr></thead>
<tbody id="daemons"></tbody>
</table></div>
</div>
<div class="charts" id="charts"></div>
<h2 class="over">Groups</h2><div id="groups"></div>
<h2 class="over">Sessions here</h2><div id="sessions"></div>
</section>
<section id="one" aria-labelledby="group-name" hidden>
<p class="back"><a href="#">← The daemon</a></p>
<div class="title"><h1 id="group-name" tabindex="-1"></h1><span id="held" class="badge" hidden>‖ senders are held up</span></div>
<div class="charts" id="group-charts"></div>
<dl class="figures" id="figures"></dl>
<div class="card"><h2>Members</h2><ul id="members" class="mono"></ul><p id="members-more" class="faint" hidden></p></div>
<div class="card">
<div class="bar"><h2>Events</h2><span id="sampled" class="faint"></span><button id="hold" type="button" aria-pressed="false">Hold</button></div>
<ol id="events" tabindex="0" aria-label="Events, newest first"></ol>
</div>
</section>
`,
  script: program(busPage, { makeRing, makeGroup }),
});
