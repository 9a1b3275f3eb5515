/** Who gives what to those who lack it: the same plan for all who know the same vectors. Pure. */
import type { Strand } from '@rookery/protocol/bus';
import { compareRings, strandKey, type Vector } from './vector.ts';

export interface Turn {
  readonly giver: number;
  /** One after the other; of each, by `strandKey`, what comes behind this order is wanted. */
  readonly configurations: readonly ReadonlyMap<string, Strand>[];
}

interface Lacking {
  /** `order`: what all have, at least. */
  readonly strand: Strand;
  /** Daemons that have most of it, ascending. */
  readonly holders: readonly number[];
}

/**
 * Turns follow each other. Configurations are given in their order, so that what a daemon sent in an earlier one comes
 * before what it sent in a later one; each by one giver if one has it all, so that it comes in the order that the ring
 * gave it.
 */
export function planTurns(keepers: ReadonlyMap<number, Vector>): Turn[] {
  const turns: { giver: number; configurations: Map<string, Strand>[] }[] = [];
  const give = (giver: number, strands: readonly Lacking[]): void => {
    let turn = turns.at(-1);
    if (turn?.giver !== giver) {
      turn = { giver, configurations: [] };
      turns.push(turn);
    }
    turn.configurations.push(new Map(strands.map(({ strand }) => [strandKey(strand), strand])));
  };
  for (const lacking of lackingByConfiguration(keepers)) {
    const holders = lacking[0]!.holders.filter((id) => lacking.every((one) => one.holders.includes(id)));
    const before = turns.at(-1)?.giver;
    const giver = holders.find((id) => id === before) ?? holders[0];
    if (giver !== undefined) give(giver, lacking);
    else for (const one of lacking) give(one.holders[0]!, [one]);
  }
  return turns;
}

function lackingByConfiguration(keepers: ReadonlyMap<number, Vector>): Lacking[][] {
  const ids = [...keepers.keys()].sort((a, b) => a - b);
  const strands = new Map<string, Strand>();
  for (const vector of keepers.values()) for (const strand of vector) strands.set(strandKey(strand), strand);
  const configurations = new Map<string, Lacking[]>();
  const sorted = [...strands.values()].sort((a, b) => compareRings(a, b) || a.sender - b.sender);
  for (const strand of sorted) {
    // Whose floor is above it wants nothing of it, and may have let go of it.
    const orders = ids.map((id) => [id, keepers.get(id)!.orderOf(strand)] as const);
    const known = orders.filter(([, order]) => order !== Number.MAX_SAFE_INTEGER);
    const most = Math.max(...known.map(([, order]) => order));
    const least = Math.min(...known.map(([, order]) => order));
    if (least === most) continue;
    const holders = known.filter(([, order]) => order === most).map(([id]) => id);
    const name = `${strand.ringSequence}.${strand.representative}`;
    const lacking = configurations.get(name) ?? [];
    lacking.push({ strand: { ...strand, order: least }, holders });
    configurations.set(name, lacking);
  }
  return [...configurations.values()];
}
