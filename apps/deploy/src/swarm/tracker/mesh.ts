/**
 * Who is in a swarm, and who dials whom. All are joined with all up to FULL_MESH; in larger swarms each host has some
 * neighbours, chosen at random: the graph is connected with near certainty, and as fast as the full mesh. Only the one
 * that came later dials. How large a swarm becomes isn't known when its first members come, so a newcomer gets half of
 * its neighbours, those who come later bring the rest, and what is lacking then is dealt out at the next announcement,
 * for which it is asked soon: who isn't joined with an origin has nothing that its neighbours lack.
 * Pure.
 */
export interface Mesh {
  readonly size: number;
  readonly complete: number;
  has(key: string): boolean;
  /** Takes in what a member says of itself, and returns whom it shall dial. */
  announce(member: Announced, now: number): Member[];
  /** Whether more will be dealt out to a newcomer: it shall announce again soon. */
  isLacking(key: string): boolean;
  leave(key: string): void;
  /** Drops those who haven't announced for so long. */
  expire(before: number): void;
  members(): Iterable<Member>;
}

export interface Announced {
  /** Address and port: a host that comes back takes its old place. */
  readonly key: string;
  readonly peerId: string;
  readonly ip: string;
  readonly port: number;
  readonly complete: boolean;
  /** Has the tree from the start, and need not be joined with others that have. */
  readonly origin: boolean;
  readonly rack?: string;
  /** What it calls itself, for people. */
  readonly name?: string;
  /** Bytes that are missing there, and those that it has got and given. */
  readonly left: number;
  readonly fetchedBytes: number;
  readonly sentBytes: number;
  /** Where an origin serves the payload by HTTP. */
  readonly webSeedPort?: number;
}

export interface Member extends Announced {
  readonly seenAt: number;
  readonly neighbours: ReadonlySet<string>;
}

interface MutableMember extends Announced {
  seenAt: number;
  readonly neighbours: Set<string>;
  readonly dials: Set<string>;
  readonly degree: number;
}

export const FULL_MESH = 30;
/** Smaller ones are joined with all from the first moment on. */
const FULL_MESH_AT_ONCE = 10;
const NEIGHBOURS_AT_FIRST = 5;
const DEGREE_MIN = 8;
const DEGREE_MAX = 10;
/** Of a host's neighbours, those in its own rack. The others keep racks together. */
const SAME_RACK = 0.6;

/** @param random gives numbers from 0 to below 1 */
export function createMesh(random: () => number): Mesh {
  const members = new Map<string, MutableMember>();

  const part = (one: MutableMember): void => {
    members.delete(one.key);
    for (const key of one.neighbours) {
      const other = members.get(key);
      other?.neighbours.delete(one.key);
      other?.dials.delete(one.key);
    }
  };

  const join = (one: MutableMember, other: MutableMember): void => {
    one.neighbours.add(other.key);
    one.dials.add(other.key);
    other.neighbours.add(one.key);
  };

  /** Those with room first, then those with few neighbours; else by chance. */
  const candidates = (one: MutableMember): MutableMember[] => {
    const found: { readonly other: MutableMember; readonly weight: number }[] = [];
    for (const other of members.values()) {
      if (other === one || one.neighbours.has(other.key)) continue;
      // Neither needs the other.
      if (one.complete && other.complete) continue;
      found.push({ other, weight: Math.max(0, other.neighbours.size - DEGREE_MIN) + random() });
    }
    return found.sort((a, b) => a.weight - b.weight).map(({ other }) => other);
  };

  const deal = (one: MutableMember, isNew: boolean): void => {
    const others = candidates(one);
    if (members.size <= (isNew ? FULL_MESH_AT_ONCE : FULL_MESH)) {
      for (const other of others) join(one, other);
      return;
    }
    const wanted = (isNew ? NEIGHBOURS_AT_FIRST : one.degree) - one.neighbours.size;
    if (wanted <= 0) return;
    const near = others.filter(({ rack }) => rack !== undefined && rack === one.rack);
    const chosen = new Set(near.slice(0, Math.floor(wanted * SAME_RACK)));
    for (const other of others) {
      if (chosen.size >= wanted) break;
      if (!near.includes(other)) chosen.add(other);
    }
    // Racks that hold everything: more of the own one.
    for (const other of near) {
      if (chosen.size >= wanted) break;
      chosen.add(other);
    }
    for (const other of chosen) join(one, other);
  };

  return {
    get size() {
      return members.size;
    },
    get complete() {
      let count = 0;
      for (const { complete } of members.values()) if (complete) count++;
      return count;
    },
    has: (key) => members.has(key),
    announce(announced, now) {
      const known = members.get(announced.key);
      // Another process at the same place: its neighbours have lost it.
      if (known !== undefined && known.peerId !== announced.peerId) part(known);
      const before = members.get(announced.key);
      const one: MutableMember = {
        ...announced,
        seenAt: now,
        neighbours: before?.neighbours ?? new Set(),
        dials: before?.dials ?? new Set(),
        degree: before?.degree ?? DEGREE_MIN + Math.floor(random() * (DEGREE_MAX - DEGREE_MIN + 1)),
      };
      members.set(one.key, one);
      deal(one, before === undefined);
      return [...one.dials].flatMap((key) => members.get(key) ?? []);
    },
    isLacking(key) {
      const one = members.get(key);
      if (one === undefined || one.complete || members.size > FULL_MESH) return false;
      return one.neighbours.size < members.size - 1;
    },
    leave(key) {
      const one = members.get(key);
      if (one !== undefined) part(one);
    },
    expire(before) {
      for (const one of [...members.values()]) if (one.seenAt < before) part(one);
    },
    members: () => members.values(),
  };
}
