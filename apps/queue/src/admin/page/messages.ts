/// <reference lib="dom" preserve="true" />
// Runs in the browser: it uses nothing from outside but what it is given.
import type { Rookery } from '@rookery/service';
import type { MessagesPage, MessageView } from '../messages.ts';

export interface Messages {
  /** Looks at the first messages of the queue. */
  open(queue: string): Promise<void>;
}

/** The messages of a queue, as text, JSON or hex; whatever they hold is only ever text of the page. */
export function makeMessages(rookery: Rookery, tell: (error: unknown) => void): Messages {
  const { el, by, say, bytes, count, seconds, get } = rookery;
  const list = by('messages');
  const format = by<HTMLSelectElement>('format');
  const more = by('more');
  let queue = '';
  let after: string | null = null;
  let looks = 0;
  let shown: { readonly body: Uint8Array; readonly whole: boolean; readonly pre: Element }[] = [];

  function textOf(body: Uint8Array, whole: boolean): string | undefined {
    try {
      // The end of what is cut may be in the middle of a character.
      const text = new TextDecoder('utf-8', { fatal: true }).decode(body, { stream: !whole });
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
      return /[\x00-\x08\x0e-\x1f\x7f]/.test(text) ? undefined : text;
    } catch {
      return undefined;
    }
  }
  function jsonOf(text: string | undefined): string | undefined {
    try {
      return text === undefined ? undefined : JSON.stringify(JSON.parse(text), undefined, 2);
    } catch {
      return undefined;
    }
  }
  function hexOf(body: Uint8Array): string {
    const lines: string[] = [];
    for (let at = 0; at < body.length; at += 16) {
      const row = [...body.subarray(at, at + 16)];
      const hex = row.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
      const letters = row.map((byte) => (byte > 31 && byte < 127 ? String.fromCharCode(byte) : '.')).join('');
      lines.push(`${at.toString(16).padStart(6, '0')}  ${hex.padEnd(47)}  ${letters}`);
    }
    return lines.join('\n');
  }
  function written(body: Uint8Array, whole: boolean): string {
    const text = textOf(body, whole);
    switch (format.value) {
      case 'hex':
        return hexOf(body);
      case 'text':
        return text ?? new TextDecoder().decode(body);
      case 'json':
        return jsonOf(text) ?? text ?? hexOf(body);
      default:
        // What fits on a line is read as it is.
        if (text === undefined) return hexOf(body);
        return (/^\s*[[{]/.test(text) && text.length > 120 ? jsonOf(text) : undefined) ?? text;
    }
  }

  function makeItem(message: MessageView, now: number): Element {
    const body = Uint8Array.from(atob(message.body), (letter) => letter.charCodeAt(0));
    const whole = body.length === message.bytes;
    const pre = el('pre', { tabIndex: 0, 'aria-label': 'Body' }, written(body, whole));
    shown.push({ body, whole, pre });
    const ago = (time: string): string => seconds(Math.max(0, now - Date.parse(time)) / 1000);
    const until = (time: string): string => seconds(Math.max(0, Date.parse(time) - now) / 1000);
    const { state, returns, priority, id, origin, due_at, expires_at, flags } = message;
    const about = [
      el('span', { class: `badge ${state}` }, state),
      `${ago(message.added_at)} old`,
      whole ? bytes(message.bytes) : `${bytes(message.bytes)}, the first ${bytes(body.length)} shown`,
      due_at === null || state !== 'delayed' ? null : `ready in ${until(due_at)}`,
      expires_at === null ? null : `expires in ${until(expires_at)}`,
      returns === 0 ? null : `came back ${returns === 1 ? 'once' : `${returns} times`}`,
      priority === 5 ? null : `priority ${priority}`,
      id === null ? null : `id ${id}`,
      origin === null ? null : `dead letter of ${origin}`,
      flags === 0 ? null : `flags ${flags}`,
    ];
    const spans = about
      .filter((one) => one !== null)
      .map((one) => (typeof one === 'string' ? el('span', {}, one) : one));
    return el('li', {}, el('p', { class: 'about' }, ...spans), pre);
  }

  async function look(from: string | null): Promise<void> {
    const asked = ++looks;
    try {
      const query = from === null ? '' : `&after=${encodeURIComponent(from)}`;
      const page = await get<MessagesPage>(`queues/${encodeURIComponent(queue)}/messages?limit=20${query}`);
      // Another queue was chosen meanwhile.
      if (asked !== looks) return;
      if (from === null) {
        shown = [];
        list.replaceChildren();
      }
      const now = Date.now();
      list.append(...page.messages.map((message) => makeItem(message, now)));
      after = page.next_after;
      more.hidden = after === null || page.messages.length === 0;
      say(
        by('peeked'),
        `${shown.length === 0 ? 'none' : `the first ${count(shown.length)}`} at ${new Date().toLocaleTimeString()}`,
      );
    } catch (error) {
      if (asked === looks) tell(error);
    }
  }

  format.addEventListener('change', () => {
    for (const { body, whole, pre } of shown) say(pre, written(body, whole));
  });
  by('reload').addEventListener('click', () => void look(null));
  more.addEventListener('click', () => void look(after));

  return {
    async open(name) {
      queue = name;
      shown = [];
      list.replaceChildren();
      more.hidden = true;
      say(by('peeked'), '');
      await look(null);
    },
  };
}
