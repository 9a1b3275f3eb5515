import { displayName, wireName } from '../names.ts';
import { AccessError } from './errors.ts';

/**
 * - `read`: take, open, settle, peek, wait, cursors
 * - `write`: put
 * - `manage`: delete, flush, pause, settings, redrive; on `*` also what concerns the whole server
 */
export type Right = 'read' | 'write' | 'manage';

export const allRights: readonly Right[] = ['read', 'write', 'manage'];

/** Rights to one name, or to all names that begin so. */
export interface Grant {
  readonly rights: readonly Right[];
  /** As the wire has it. */
  readonly name: string;
  readonly isPrefix: boolean;
}

/** Names come from clients: what is remembered of them is bounded, and then begun anew. */
const rememberedMax = 10_000;

const bits: Readonly<Record<Right, number>> = { read: 1, write: 2, manage: 4 };

/** What somebody may do. Pure. */
export class Rights {
  readonly grants: readonly Grant[];
  #remembered = new Map<string, number>();

  constructor(grants: readonly Grant[]) {
    this.grants = grants;
  }

  // hot: once per request where clients are asked who they are.
  has(right: Right, queue: string): boolean {
    return (this.#of(queue) & bits[right]) !== 0;
  }

  /** Whether it may be told that the queue is there. */
  sees(queue: string): boolean {
    return this.#of(queue) !== 0;
  }

  /** For every queue, those to come included. */
  everywhere(right: Right): boolean {
    return this.grants.some((grant) => grant.isPrefix && grant.name === '' && grant.rights.includes(right));
  }

  /** @throws AccessError `forbidden` */
  demand(right: Right, queue: string): void {
    if (!this.has(right, queue)) throw new AccessError('forbidden', `no right to ${right} this queue`);
  }

  /** @throws AccessError `forbidden` */
  demandEverywhere(right: Right): void {
    if (!this.everywhere(right)) throw new AccessError('forbidden', `no right to ${right} all queues`);
  }

  #of(queue: string): number {
    const known = this.#remembered.get(queue);
    if (known !== undefined) return known;
    let found = 0;
    for (const { rights, name, isPrefix } of this.grants) {
      if (isPrefix ? !queue.startsWith(name) : queue !== name) continue;
      for (const right of rights) found |= bits[right];
    }
    if (this.#remembered.size >= rememberedMax) this.#remembered = new Map();
    this.#remembered.set(queue, found);
    return found;
  }
}

/**
 * `read,write:jobs` or `all:jobs.*`: rights, a colon, and a name or the beginning of names.
 * @throws AccessError `bad-grant`
 */
export function parseGrant(text: string): Grant {
  const colon = text.indexOf(':');
  const named = text.slice(0, colon).split(',');
  const pattern = text.slice(colon + 1);
  const isPrefix = pattern.endsWith('*');
  const name = isPrefix ? pattern.slice(0, -1) : pattern;
  const unknown = named.find((word) => word !== 'all' && !allRights.includes(word as Right));
  if (colon < 1 || unknown !== undefined || pattern === '' || name.includes('*')) {
    throw new AccessError(
      'bad-grant',
      'rights look like read,write:jobs or all:jobs.* (of read, write, manage and all; a name, or the beginning of names and a star)',
    );
  }
  const rights = named.includes('all') ? allRights : (named as Right[]);
  return { rights, name: wireName(name), isPrefix };
}

export function formatGrant({ rights, name, isPrefix }: Grant): string {
  const words = rights.length === allRights.length ? 'all' : rights.join(',');
  return `${words}:${displayName(name)}${isPrefix ? '*' : ''}`;
}
