/** What `sub` prints of an event. Pure. */
import type { SessionEvent, SubscriptionEvent } from '../client/index.ts';

type Shown = Exclude<SessionEvent, { readonly kind: 'left' }>;

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** One line of NDJSON; the names are a contract, docs/run-the-bus.md. */
export function eventJson(event: Shown, joined: ReadonlySet<string>, now: Date): string {
  const head = { event: event.kind, time: now.toISOString() };
  return `${JSON.stringify({ ...head, ...fieldsOf(event, joined) })}\n`;
}

function fieldsOf(event: Shown, joined: ReadonlySet<string>): Record<string, unknown> {
  switch (event.kind) {
    case 'message':
      return {
        group: event.groups.find((group) => joined.has(group)) ?? null,
        groups: event.groups,
        sender: event.sender,
        service: event.service,
        message_type: event.messageType,
        key: event.key === '' ? null : event.key,
        ...dataOf(event.data),
      };
    case 'view': {
      const { group, id, cause, members, changed, sets } = event;
      return { group, id, cause, changed: changed ?? null, members, sets };
    }
    case 'transition':
      return { group: event.group, id: event.id };
    case 'dropped':
      return { group: event.group, count: event.count };
    case 'lost':
      return { session: event.session, reason: event.reason };
  }
}

/** The same of what is kept: with its place in the daemon's log, and the time at which it was kept. */
export function keptJson(event: SubscriptionEvent, group: string): string {
  if (event.kind === 'caught_up')
    return `${JSON.stringify({ event: 'caught_up', group, sequence: event.sequence })}\n`;
  if (event.kind === 'missed') return `${JSON.stringify({ event: 'missed', group, count: event.count })}\n`;
  const { sequence, id, timeMs } = event;
  const fields = fieldsOf(event, new Set([group]));
  return `${JSON.stringify({ event: 'message', time: new Date(timeMs).toISOString(), sequence, id, ...fields })}\n`;
}

function dataOf(data: Uint8Array): { readonly text: string } | { readonly base64: string } {
  try {
    return { text: strict.decode(data) };
  } catch {
    return { base64: Buffer.from(data).toString('base64') };
  }
}

/** A message's data and a line end: as it is for a program, and without power over the terminal for a person. */
export function messageLine(data: Uint8Array, terminal: boolean): string | Uint8Array {
  return terminal ? `${plain(Buffer.from(data).toString())}\n` : Buffer.concat([data, LINE_END]);
}

const LINE_END = Buffer.from('\n');

/** Everything but messages, for people. */
export function eventLine(event: Exclude<Shown, { readonly kind: 'message' }>): string {
  switch (event.kind) {
    case 'view': {
      const who = event.changed === undefined ? '' : ` of ${event.changed}`;
      return `* ${event.group} has ${event.members.join(' ') || 'no members'} (${event.cause}${who})\n`;
    }
    case 'transition':
      return `* ${event.group}: the network has changed; the next view tells who is left\n`;
    case 'dropped':
      return `* ${event.group}: ${event.count} messages were dropped, this reader was too slow\n`;
    case 'lost':
      return `* the session ${event.session} was lost, and with it what came until the next line: ${plain(event.reason)}\n`;
  }
}

/** Control characters shown as \xNN, so that who may publish can't write on the terminal of who reads. */
function plain(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  return text.replace(/[\x00-\x08\x0a-\x1f\x7f-\x9f]/g, (character) => {
    return character === '\n' ? '\\n' : `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
}
