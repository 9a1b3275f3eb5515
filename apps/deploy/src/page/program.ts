/// <reference lib="dom" preserve="true" />
// Runs in the browser: its source text is what is sent, so it uses nothing but what it is given and the browser's own.
import type { Rookery } from '@rookery/service';
import type { Board, BoardHost } from './board.ts';
import type { DrawLinks } from './links.ts';

type Shown = Readonly<Record<string, { readonly sign: string; readonly tone: string }>>;

/** Shows boards as they come: one at a time, each host as a cell that fills. */
export function showBoards(rookery: Rookery, states: Shown, drawLinks: DrawLinks): void {
  const { el, by, say, bytes, count, seconds } = rookery;
  /** Cells with names; more hosts become small squares. */
  const NAMED_MAX = 60;
  const HAS_IT = new Set(['fetched', 'switching', 'checking', 'healthy', 'finishing', 'done', 'origin']);
  const RUNS_IT = new Set(['healthy', 'finishing', 'done']);
  const WAVE_SIGNS = { waiting: '·', started: '»', healthy: '✓', failed: '✗' };
  const OUTCOMES: Readonly<Record<string, readonly [tone: string, sign: string]>> = {
    deployed: ['good', '✓'],
    partial: ['warn', '✓'],
    failed: ['bad', '←'],
    stuck: ['bad', '!'],
    cancelled: ['warn', '■'],
  };
  const shownOf = (state: string): { readonly sign: string; readonly tone: string } =>
    states[state] ?? { sign: '·', tone: 'plain' };

  let boards: readonly Board[] = [];
  let chosen: string | undefined;
  let selected: string | undefined;
  let finished = false;

  // ---- What is over all hosts

  const meter = (id: string, name: string): ((share: number, text: string) => void) => {
    const value = el('b');
    const fill = el('div');
    const track = el(
      'div',
      { class: 'track', role: 'progressbar', 'aria-label': name, 'aria-valuemin': 0, 'aria-valuemax': 100 },
      fill,
    );
    by(id).append(el('div', { class: 'meter' }, el('p', {}, el('span', {}, name), value), track));
    return (share, text) => {
      const percent = Math.round(100 * Math.min(1, Math.max(0, share)));
      fill.style.width = `${percent}%`;
      track.setAttribute('aria-valuenow', String(percent));
      track.setAttribute('aria-valuetext', text);
      say(value, text);
    };
  };
  const showHas = meter('has', 'has it');
  const showRuns = meter('runs', 'runs it');
  const rates = rookery.chart({
    title: 'Bytes a second, all hosts',
    lines: [''],
    format: (n) => `${bytes(n)}/s`,
  });
  by('rate').append(rates.element);

  const figure = ([name, value]: readonly [string, string]) => {
    const shown = el('dd', {}, value);
    return {
      element: el('div', {}, el('dt', {}, name), shown),
      update: (item: readonly [string, string]) => say(shown, item[1]),
    };
  };
  const figuresOf = ({
    hosts,
    links,
    origin_sent_bytes: sent,
    push,
  }: Board): (readonly [string, string])[] => {
    const failed = hosts.filter(({ failure }) => failure !== undefined).length;
    const rate = hosts.reduce((sum, host) => sum + (host.bytes_per_second ?? 0), 0);
    return [
      ['Hosts', count(hosts.length)],
      ...(push === undefined ? [] : [['Time', seconds(push.seconds)] as const]),
      ...(push === undefined || push.end !== undefined ? [] : [['Rate', `${bytes(rate)}/s`] as const]),
      ...(failed > 0 ? [['Failed', count(failed)] as const] : []),
      ...(sent === undefined ? [] : [['The origin gave', bytes(sent)] as const]),
      ...(push?.end === undefined ? [['Links', count(links.length)] as const] : []),
    ];
  };

  const showBanner = ({ push }: Board): void => {
    const banner = by('banner');
    const said =
      push?.end === undefined
        ? push?.stopping === undefined
          ? undefined
          : (['bad', '■', `Stopping: ${push.stopping}`] as const)
        : ([...(OUTCOMES[push.end.outcome] ?? ['warn', '■']), push.end.text] as const);
    banner.hidden = said === undefined;
    if (said === undefined) return;
    banner.dataset.tone = said[0];
    say(banner.firstElementChild!, said[1]);
    say(banner.lastElementChild!, said[2]);
  };

  const showWaves = ({ push }: Board): void => {
    rookery.keyed(
      by('waves'),
      push === undefined || push.waves.length < 2 ? [] : push.waves,
      ({ number }) => String(number),
      () => {
        const element = el('li');
        return {
          element,
          update(wave) {
            element.dataset.state = wave.state;
            const hosts = `${count(wave.hosts)} ${wave.hosts === 1 ? 'host' : 'hosts'}`;
            element.title = `Wave ${wave.number}: ${hosts}, ${wave.state}`;
            say(element, `${WAVE_SIGNS[wave.state]} Wave ${wave.number} · ${hosts}`);
          },
        };
      },
    );
  };

  const showLegend = ({ hosts }: Board): void => {
    const counts = new Map<string, number>();
    for (const { state } of hosts) counts.set(state, (counts.get(state) ?? 0) + 1);
    const items = Object.keys(states).flatMap((state): [string, number][] => {
      const found = counts.get(state);
      return found === undefined ? [] : [[state, found]];
    });
    rookery.keyed(
      by('legend'),
      items,
      ([state]) => state,
      ([state]) => {
        const { sign, tone } = shownOf(state);
        const value = el('b');
        const element = el(
          'li',
          { 'data-tone': tone },
          el('span', { class: 'sign', 'aria-hidden': 'true' }, sign),
          ' ',
          value,
          ` ${state}`,
        );
        return { element, update: ([, found]) => say(value, count(found)) };
      },
    );
  };

  // ---- The grid

  const percentOf = ({ done_bytes: done, total_bytes: total, state }: BoardHost): number =>
    total > 0 ? Math.floor((100 * done) / total) : HAS_IT.has(state) ? 100 : 0;
  const stateText = (host: BoardHost): string => {
    if (host.state === 'fetching')
      return (
        host.doing ??
        `${percentOf(host)} %${host.bytes_per_second === undefined ? '' : ` · ${bytes(host.bytes_per_second)}/s`}`
      );
    return host.failure === undefined ? host.state : `${host.state} · ${host.failure.code}`;
  };
  const grid = by('grid');
  const cellOf = () => {
    const sign = el('span', { class: 'sign', 'aria-hidden': 'true' });
    const name = el('span', { class: 'name' });
    const state = el('span', { class: 'state' });
    const element = el('button', { type: 'button', class: 'cell', tabIndex: -1 }, sign, name, state);
    let before = '';
    return {
      element,
      update(host: BoardHost) {
        const text = stateText(host);
        const pressed = host.name === selected;
        const now = `${host.name}\n${host.state}\n${text}\n${percentOf(host)}\n${pressed}`;
        if (now === before) return;
        before = now;
        const shown = shownOf(host.state);
        element.dataset.host = host.name;
        element.dataset.state = host.state;
        element.dataset.tone = shown.tone;
        element.title = `${host.name}: ${text}`;
        element.setAttribute('aria-label', `${host.name}: ${host.state}, ${text}`);
        element.setAttribute('aria-pressed', String(pressed));
        element.style.setProperty('--share', `${percentOf(host)}%`);
        say(sign, shown.sign);
        say(name, host.name);
        say(state, text);
      },
    };
  };
  const showGrid = ({ hosts }: Board): void => {
    grid.classList.toggle('dense', hosts.length > NAMED_MAX);
    rookery.keyed(grid, hosts, ({ name }) => name, cellOf);
    if (grid.querySelector('[tabindex="0"]') === null)
      (grid.firstElementChild as HTMLElement | null)?.setAttribute('tabindex', '0');
  };
  const goTo = (cell: HTMLElement): void => {
    grid.querySelector('[tabindex="0"]')?.setAttribute('tabindex', '-1');
    cell.setAttribute('tabindex', '0');
    cell.focus();
  };
  const choose = (cell: HTMLElement): void => {
    selected = selected === cell.dataset.host ? undefined : cell.dataset.host;
    goTo(cell);
    draw();
  };
  grid.addEventListener('click', ({ target }) => {
    const cell = (target as Element).closest<HTMLElement>('.cell');
    if (cell !== null) choose(cell);
  });
  grid.addEventListener('keydown', (event) => {
    const cells = [...grid.children] as HTMLElement[];
    const at = cells.indexOf((event.target as Element).closest('.cell') as HTMLElement);
    if (at < 0) return;
    const top = cells[0]!.offsetTop;
    const next = cells.findIndex(({ offsetTop }) => offsetTop > top);
    const row = next < 0 ? cells.length : next;
    const steps: Readonly<Record<string, number>> = {
      ArrowRight: at + 1,
      ArrowLeft: at - 1,
      ArrowDown: at + row,
      ArrowUp: at - row,
      Home: 0,
      End: cells.length - 1,
    };
    const to = cells[steps[event.key] ?? -1];
    if (to === undefined) return;
    event.preventDefault();
    goTo(to);
  });

  // ---- One host

  const showDetails = ({ hosts, links, others, push }: Board): void => {
    const place = hosts.findIndex(({ name }) => name === selected);
    const host = hosts[place];
    const body = by('details-body');
    if (host === undefined) {
      if (body.dataset.host !== undefined)
        body.replaceChildren(el('p', { class: 'faint' }, 'Choose one in the grid.'));
      delete body.dataset.host;
      return;
    }
    const joined = links.flatMap(([one, other]) => (one === place ? [other] : other === place ? [one] : []));
    const names = joined.map((other) => hosts[other]?.name ?? others[other - hosts.length] ?? '?');
    const shown = shownOf(host.state);
    const facts: [string, string][] = [
      [
        'State',
        `${shown.sign} ${host.state}${host.seconds === undefined ? '' : ` for ${seconds(host.seconds)}`}`,
      ],
      ...(host.wave === undefined ? [] : [['Wave', String(host.wave)] as [string, string]]),
      ...(host.rack === undefined ? [] : [['Rack', host.rack] as [string, string]]),
      ['Has', `${bytes(host.done_bytes)} of ${bytes(host.total_bytes)}`],
      ...(host.bytes_per_second === undefined
        ? []
        : [['Gets', `${bytes(host.bytes_per_second)}/s`] as [string, string]]),
      ...(host.sent_bytes === undefined ? [] : [['Has given', bytes(host.sent_bytes)] as [string, string]]),
      ...(host.doing === undefined ? [] : [['Does', host.doing] as [string, string]]),
      ...(push?.end === undefined
        ? [
            [
              'Linked with',
              names.length === 0
                ? 'nobody'
                : `${names.slice(0, 12).join(', ')}${names.length > 12 ? ` and ${names.length - 12} more` : ''}`,
            ] as [string, string],
          ]
        : []),
      ...(host.failure === undefined
        ? []
        : [['Failed', `${host.failure.code}: ${host.failure.message}`] as [string, string]]),
    ];
    const text = JSON.stringify([host.name, facts, host.failure?.output]);
    // Anew only when it differs: it is read aloud, and may be selected.
    if (body.dataset.host === text) return;
    body.dataset.host = text;
    body.replaceChildren(
      el('h3', {}, host.name),
      el('dl', {}, ...facts.flatMap(([name, value]) => [el('dt', {}, name), el('dd', {}, value)])),
    );
    if (host.failure?.output !== undefined) {
      body.append(el('pre', { tabIndex: 0, 'aria-label': 'What it has written' }, host.failure.output));
    }
  };

  const showFailures = ({ hosts, push }: Board): void => {
    const failed = hosts.filter(({ failure }) => failure !== undefined);
    by('failures').hidden = failed.length === 0;
    rookery.keyed(
      by('failed'),
      failed,
      ({ name }) => name,
      (host) => {
        const sign = el('span', { class: 'sign', 'aria-hidden': 'true' });
        const state = el('span');
        const step = el('td');
        const why = el('span');
        const output = el('pre', { tabIndex: 0, 'aria-label': 'What it has written' });
        return {
          element: el(
            'tr',
            {},
            el('td', {}, host.name),
            el('td', {}, sign, ' ', state),
            step,
            el('td', {}, why, output),
          ),
          update({ state: now, failure }) {
            say(sign, shownOf(now).sign);
            say(state, now);
            say(step, failure!.step);
            say(why, `${failure!.code}: ${failure!.message}`);
            output.hidden = failure!.output === undefined;
            say(output, failure!.output ?? '');
          },
        };
      },
    );
    const warnings = push?.warnings ?? [];
    by('warnings').hidden = warnings.length === 0;
    rookery.keyed(
      by('warned'),
      warnings.map(({ host, message }, index) => ({ key: String(index), text: `${host}: ${message}` })),
      ({ key }) => key,
      () => {
        const element = el('li');
        return { element, update: ({ text }) => say(element, text) };
      },
    );
  };

  // ---- All of it

  const showBoardsList = (): void => {
    by('boards').hidden = boards.length < 2;
    rookery.keyed(
      by('boards'),
      boards.length < 2 ? [] : boards,
      ({ key }) => key,
      ({ key }) => {
        const element = el('button', { type: 'button' });
        element.addEventListener('click', () => {
          chosen = key;
          rates.clear();
          draw();
        });
        return {
          element,
          update({ title, hosts }) {
            element.setAttribute('aria-current', String(key === chosen));
            say(element, `${title} (${count(hosts.length)})`);
          },
        };
      },
    );
  };

  let drawnTitle = '';
  const draw = (): void => {
    const board = boards.find(({ key }) => key === chosen) ?? boards[0];
    chosen = board?.key;
    showBoardsList();
    by('board').hidden = board === undefined;
    if (board === undefined) return;
    say(by('title'), board.title);
    say(by('subtitle'), board.subtitle);
    const { hosts, push } = board;
    const has = hosts.filter(({ state }) => HAS_IT.has(state)).length;
    const runs = hosts.filter(({ state }) => RUNS_IT.has(state)).length;
    const all = hosts.reduce((sum, { total_bytes: total }) => sum + total, 0);
    const got = hosts.reduce((sum, { done_bytes: done }) => sum + done, 0);
    const share = all > 0 ? got / all : has / Math.max(1, hosts.length);
    const fetching = hosts.some(({ state }) => state === 'fetching');
    const percent = !fetching ? '' : ` · ${Math.floor(100 * share)} %`;
    showHas(share, `${count(has)} of ${count(hosts.length)}${percent}`);
    by('runs').hidden = push === undefined;
    showRuns(runs / Math.max(1, hosts.length), `${count(runs)} of ${count(hosts.length)}`);
    by('rate').hidden = push === undefined;
    rookery.keyed(by('figures'), figuresOf(board), ([name]) => name, figure);
    showBanner(board);
    showWaves(board);
    showLegend(board);
    showGrid(board);
    showDetails(board);
    showFailures(board);
    // Of a push that has ended there is no swarm any more.
    by('swarm').hidden = push?.end !== undefined;
    drawLinks(rookery, board, {
      selected,
      toneOf: (state) => shownOf(state).tone,
      has: (state) => HAS_IT.has(state),
    });
    const sign = push?.end === undefined ? '' : `${OUTCOMES[push.end.outcome]?.[1] ?? '■'} `;
    const running = push === undefined ? '' : ` ${count(runs)}/${count(hosts.length)}`;
    const title = `${sign}${board.title}${running} – Rookery deploy`;
    if (title !== drawnTitle) document.title = drawnTitle = title;
  };

  const take = (given: readonly Board[]): void => {
    boards = given;
    draw();
    const push = boards[0]?.push;
    if (push?.end === undefined || boards.length > 1) return;
    finished = true;
    end('the push has ended');
  };
  const end = rookery.watch<readonly Board[], readonly Board[]>('/boards/live', {
    snapshot: take,
    update: take,
    // Its server ends with the push: what isn't seen until then is never seen.
    unseen: () => boards[0]?.push !== undefined,
    lost: () =>
      boards[0]?.push === undefined
        ? undefined
        : 'the push is gone, and this is how it stood: rookery-deploy history tells how it ended',
  });
  setInterval(() => {
    const board = boards.find(({ key }) => key === chosen);
    if (board?.push !== undefined && !finished) rates.push([board.bytes_per_second]);
  }, 1_000);
  addEventListener('resize', draw);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
}
