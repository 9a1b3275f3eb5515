/// <reference lib="dom" preserve="true" />
// Runs in the browser: it uses nothing from outside but what it is given.
import type { Rookery } from '@rookery/service';
import type { QueuesSnapshot } from '../feed.ts';
import type { Histories } from './histories.ts';
import type { Messages } from './messages.ts';

export interface One {
  open(queue: string): void;
  show(snapshot: QueuesSnapshot): void;
}

/** One queue: its charts and figures, its messages, and what can be done to it. */
export function makeOne(
  rookery: Rookery,
  histories: Histories,
  messages: Messages,
  tell: (error: unknown) => void,
): One {
  const { el, by, say, bytes, count, short, seconds, post, keyed, ask, chart } = rookery;
  let name = '';
  let paused = false;
  const done = by('done');
  const charts = {
    depth: chart({ title: 'Messages', lines: [''], format: short }),
    rates: chart({ title: 'Messages a second', lines: ['in', 'out'], format: short }),
    age: chart({ title: 'Oldest', lines: [''], format: seconds }),
    readers: chart({ title: 'Reads', lines: ['open', 'waiting'], format: short }),
  };
  by('one-charts').append(...Object.values(charts).map(({ element }) => element));

  function draw({
    messages,
    in: put,
    out,
    ageSeconds,
    open,
    waiting,
  }: ReturnType<Histories['of']>[number]): void {
    charts.depth.push([messages]);
    charts.rates.push([put, out]);
    charts.age.push([ageSeconds]);
    charts.readers.push([open, waiting]);
  }

  /** Name and text of a list, whose texts change. */
  function fill(list: Element, pairs: readonly (readonly [string, string])[]): void {
    keyed(
      list,
      pairs,
      ([title]) => title,
      ([title]) => {
        const value = el('dd');
        const element = el('div', {}, el('dt', {}, title), value);
        return { element, update: ([, text]) => say(value, text) };
      },
    );
  }

  async function act(path: string, body: unknown): Promise<Record<string, unknown> | undefined> {
    try {
      return await post(`queues/${encodeURIComponent(name)}/${path}`, body);
    } catch (error) {
      tell(error);
      return undefined;
    }
  }
  function report(text: string): void {
    done.hidden = false;
    say(done, text);
  }

  by('pause').addEventListener('click', async () => {
    const settings = await act('settings', { paused: !paused });
    if (settings === undefined) return;
    report(settings.paused === true ? 'Paused: puts go on, reads find nothing.' : 'Reads go on.');
  });

  by('flush').addEventListener('click', async () => {
    const input = el('input', { type: 'text', autocomplete: 'off', spellcheck: false });
    const asked = name;
    const text = 'All its messages are dropped, those that somebody holds too. Nothing brings them back.';
    const children = [
      el('p', {}, text),
      el('label', {}, 'The name of the queue, to be sure ', el('b', { class: 'mono' }, asked), input),
    ];
    if (!(await ask(`Flush ${asked}?`, 'Flush', children, () => input.value === asked))) return;
    const result = await act('flush', { name: asked });
    if (result === undefined) return;
    report(`Flushed: ${count(Number(result.flushed))} messages dropped.`);
    void messages.open(name);
  });

  by('redrive').addEventListener('click', async () => {
    const to = el('input', { type: 'text', autocomplete: 'off', spellcheck: false });
    const most = el('input', { type: 'number', min: 1, value: '1000' });
    const children = [
      el('p', {}, 'Dead letters go back to the queue that each came from; what came from none stays.'),
      el('label', {}, 'Or all of them to this queue', to),
      el('label', {}, 'Messages at most', most),
    ];
    const ready = (): boolean => Number.isInteger(Number(most.value)) && Number(most.value) >= 1;
    if (!(await ask(`Redrive ${name}?`, 'Redrive', children, ready))) return;
    const from = name;
    let moved = 0;
    for (let left = Number(most.value); left > 0 && from === name; ) {
      const step = Math.min(1000, left);
      const result = await act('redrive', { max: step, ...(to.value === '' ? {} : { to: to.value }) });
      if (result === undefined) break;
      moved += Number(result.moved);
      left -= step;
      report(`${count(moved)} ${moved === 1 ? 'message' : 'messages'} moved.`);
      if (Number(result.moved) < step) break;
    }
    if (from === name) void messages.open(name);
  });

  return {
    open(queue) {
      name = queue;
      say(by('one-name'), queue);
      by('one-name').focus();
      done.hidden = true;
      for (const one of Object.values(charts)) one.clear();
      for (const moment of histories.of(queue)) draw(moment);
      void messages.open(queue);
    },
    show({ queue }) {
      by('gone').hidden = queue !== null;
      for (const id of ['pause', 'flush', 'redrive']) by<HTMLButtonElement>(id).disabled = queue === null;
      const moment = queue === null ? undefined : histories.of(name).at(-1);
      if (queue === null || queue.name !== name || moment === undefined) return;
      draw(moment);
      paused = queue.paused;
      by('paused').hidden = !paused;
      say(by('pause'), paused ? 'Resume' : 'Pause');
      fill(by('figures'), [
        ['Messages', count(queue.messages)],
        ['of these delayed', count(queue.delayed_messages)],
        ['Size', bytes(queue.body_bytes)],
        ['Put', count(queue.put_total)],
        ['Reads opened', count(queue.reads_opened_total)],
        ['came back', count(queue.reads_aborted_total)],
        ['Dead letters', count(queue.dead_total)],
        ['Expired', count(queue.expired_total)],
        ['Discarded', count(queue.discarded_total)],
        ['Refused', count(queue.refused_total)],
        ['Duplicates', count(queue.duplicates_total)],
      ]);
      const { settings, children, cursors, created_at } = queue;
      fill(by('settings'), [
        ['created', new Date(created_at).toLocaleString()],
        ...(children.length === 0 ? [] : [['children', children.join(', ')] as const]),
        ...(cursors.length === 0 ? [] : [['cursors', cursors.join(', ')] as const]),
        ...Object.entries(settings).map(
          ([key, value]) => [key, value === null ? 'no limit, or none' : String(value)] as const,
        ),
      ]);
    },
  };
}
