import type { Reply } from '@rookery/protocol/memcache';
import { more, type Question } from '../ask.ts';
import type { AfterLoss } from '../pipeline.ts';
import { refusalOf } from '../refusals.ts';
import { LINE_BYTES, lineQuestion, says, writeMeta } from './line.ts';

/** Figures of a queue or of the server, under the names that `stats` has. */
export type Figures = ReadonlyMap<string, string>;

/** Those of the server that begin as a queue's do. */
const SERVER_FIGURES: ReadonlySet<string> = new Set(['queue_creates', 'queue_deletes', 'queue_expires']);

export function statsQuestion(): Question<Figures> {
  const figures = new Map<string, string>();
  return lineQuestion('stats', [], 'again', (reply) => {
    if (reply.kind === 'end') return figures;
    if (reply.kind !== 'stat') throw refusalOf(reply);
    if (!reply.name.startsWith('queue_') || SERVER_FIGURES.has(reply.name)) {
      figures.set(reply.name, reply.value);
    }
    return more;
  });
}

/** By the names as the wire has them; without `keys` all there are. */
export function queuesQuestion(keys: readonly string[]): Question<Map<string, Map<string, string>>> {
  let queues = new Map<string, Map<string, string>>();
  let current: Map<string, string> | undefined;
  const question = lineQuestion<Map<string, Map<string, string>>>('dump_stats', keys, 'again', (reply) => {
    if (reply.kind === 'end') return queues;
    if (reply.kind !== 'line') throw refusalOf(reply);
    const { text } = reply;
    if (text === '}') current = undefined;
    else if (current !== undefined) {
      const cut = text.indexOf('=');
      current.set(text.slice(2, cut), text.slice(cut + 1));
    } else if (text.startsWith("queue '") && text.endsWith("' {")) {
      current = new Map();
      queues.set(text.slice(7, -3), current);
    } else throw refusalOf(reply);
    return more;
  });
  return {
    ...question,
    write(out, elapsedMs) {
      // Asked again after a broken connection: what came over that one is void.
      queues = new Map();
      current = undefined;
      question.write(out, elapsedMs);
    },
  };
}

/** Drops all messages of a queue. */
export function flushQuestion(key: string): Question<undefined> {
  return act(key, ['MF'], 'unless-sent', (reply) => {
    if (says(reply, 'HD')) return undefined;
    throw refusalOf(reply);
  });
}

/** The answer's text differs by dialect. */
export function flushAllQuestion(): Question<undefined> {
  return lineQuestion('flush_all', [], 'unless-sent', (reply) => {
    if (reply.kind === 'line') return undefined;
    throw refusalOf(reply);
  });
}

/** Answers whether it was there. */
export function deleteQuestion(key: string): Question<boolean> {
  return {
    bytes: LINE_BYTES,
    afterLoss: 'unless-sent',
    write: (out) => writeMeta(out, { kind: 'md', key, flags: [] }),
    read(reply) {
      if (says(reply, 'HD')) return true;
      if (says(reply, 'NF')) return false;
      throw refusalOf(reply);
    },
  };
}

export function pauseQuestion(key: string, paused: boolean): Question<undefined> {
  return act(key, [paused ? 'MP' : 'MR'], 'again', (reply) => {
    if (says(reply, 'HD')) return undefined;
    throw refusalOf(reply);
  });
}

/** One step of a redrive; answers how many moved. */
export function redriveQuestion(key: string, count: number, to: string | undefined): Question<number> {
  const flags = ['MV', `B${count}`, 'v'];
  if (to !== undefined) flags.push(`K${Buffer.from(to, 'latin1').toString('base64')}`);
  return act(key, flags, 'unless-sent', (reply) => Number(bodyOf(reply)), true);
}

/** Those in force, under their names in the settings file; undefined if there is no such queue. */
export function settingsQuestion(key: string): Question<Record<string, unknown> | undefined> {
  return act(key, ['MC', 'v'], 'again', (reply) => {
    if (says(reply, 'NF')) return undefined;
    return JSON.parse(bodyOf(reply)) as Record<string, unknown>;
  });
}

function act<T>(
  key: string,
  flags: readonly string[],
  afterLoss: AfterLoss,
  read: (reply: Reply) => T,
  base64 = false,
): Question<T> {
  return {
    bytes: LINE_BYTES,
    afterLoss,
    write: (out) => writeMeta(out, { kind: 'ma', key, flags, ...(base64 ? { base64 } : {}) }),
    read,
  };
}

function bodyOf(reply: Reply): string {
  if (reply.wire !== 'meta' || reply.kind !== 'value') throw refusalOf(reply);
  return reply.buffer.toString('utf8', reply.start, reply.end);
}
