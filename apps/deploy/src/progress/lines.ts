import { stripVTControlCharacters } from 'node:util';
import { approximateBytes } from '@rookery/service';
import type { PushEvent } from '../push/events.ts';
import type { HostState, Outcome } from '../rollout/types.ts';
import { clean } from './clean.ts';

/** What changed, in a line each, for people without a terminal. */
export function progressLines(say: (text: string) => void): (event: PushEvent) => void {
  return (event) => {
    const line = lineOf(event);
    if (line !== undefined) say(`${line}\n`);
  };
}

const SAID: { readonly [K in HostState]?: string } = {
  fetching: 'fetches',
  fetched: 'has the release',
  switching: 'switches',
  healthy: 'runs it, and is healthy',
  done: 'done',
  failed: 'FAILED',
  reverting: 'goes back',
  reverted: 'runs again what it ran before',
  stuck: 'STUCK: may run the one or the other',
};

export const OUTCOME_SAID: Readonly<Record<Outcome, string>> = {
  deployed: 'Deployed: every host runs it.',
  partial:
    'Deployed, but not everywhere: some hosts have failed, no more than were allowed. Push again to go on with them.',
  failed: 'Not deployed: every host that was switched runs again what it ran before.',
  stuck:
    'Not deployed, and some hosts could not be put back: push again, or rollback, when they can be reached.',
  cancelled: 'Cancelled. Push again to go on, or rollback to undo.',
};

function lineOf(event: PushEvent): string | undefined {
  switch (event.event) {
    case 'push': {
      const { app, version, hosts, waves, tree_bytes: bytes } = event;
      return `${app} ${version} (${approximateBytes(bytes)}) to ${hosts.length} hosts, in waves up to ${waves.join(', ')}`;
    }
    case 'host': {
      const said = SAID[event.state];
      if (said === undefined) return undefined;
      const why =
        event.message === undefined ? '' : ` (${event.step}: ${event.code}) ${clean(event.message)}`;
      // Its last words once, with the state that they brought about.
      const words =
        event.state === 'failed' || event.state === 'reverting' ? lastWords(event.output, event.message) : [];
      return [`${event.host}: ${said}${why}`, ...words].join('\n');
    }
    case 'wave':
      return `Wave ${event.wave} of ${event.waves}: ${event.state}, ${event.hosts.length} hosts`;
    case 'warning':
      return `${event.host}: ${clean(event.message)}`;
    case 'stopping':
      return `Stopping: ${clean(event.message)}`;
    case 'done':
      return doneText(event);
    default:
      return undefined;
  }
}

/** How it ended, and every host that had trouble, with the reason and, where `outputs` has them, its last words. */
export function doneText(
  event: Extract<PushEvent, { readonly event: 'done' }>,
  outputs: ReadonlyMap<string, string | undefined> = new Map(),
): string {
  const named = event.hosts.flatMap(({ host, state, code, message }) =>
    code === null
      ? []
      : [`  ${host} (${state}): ${code}: ${clean(message ?? '')}`, ...lastWords(outputs.get(host), message)],
  );
  const counts = Object.entries(event.counts).map(([state, count]) => `${count} ${state}`);
  return [
    `${OUTCOME_SAID[event.outcome]} ${counts.join(', ')}; ${event.seconds.toFixed(1)} s`,
    ...named,
  ].join('\n');
}

const LAST_WORDS_LINES = 5;

/** The end of what a hook or a check has written, unless the message says it already. It may hold anything. */
function lastWords(output = '', message: string | null = ''): string[] {
  const said = clean(message ?? '');
  const lines = stripVTControlCharacters(output)
    .split('\n')
    .map((line) => line.replace(/[\p{Cc}\p{Cf}]+/gu, ' ').trimEnd());
  return lines
    .filter((line) => line !== '' && !said.includes(line))
    .slice(-LAST_WORDS_LINES)
    .map((line) => `    ${line}`);
}
