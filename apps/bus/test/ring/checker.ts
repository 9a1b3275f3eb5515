/**
 * Holds the histories of all processes to what docs/internals/ring.md promises, numbered as there. It knows nothing of
 * rings, tokens or packets: only configurations, messages and who saw what in which order.
 */
import type { Configuration } from '../../src/index.ts';
import {
  homeOf,
  messageName,
  type ProcessHistory,
  ringName,
  type SentMessage,
  Violation,
} from './history.ts';

/** One process's stay in one regular configuration, with the transitional one that may follow. */
interface Stay {
  readonly process: ProcessHistory;
  readonly regular: Configuration;
  transitional: Configuration | undefined;
  /** The next regular configuration of this process. */
  next: Configuration | undefined;
  readonly inRegular: SentMessage[];
  readonly inTransitional: SentMessage[];
}

interface Facts {
  readonly processes: readonly ProcessHistory[];
  readonly stays: Stay[];
  /** By the name of the regular configuration. */
  readonly staysIn: Map<string, Stay[]>;
  /** Where each message was delivered. */
  readonly home: Map<SentMessage, string>;
  /** For each process, what it delivered and its place. */
  readonly places: Map<ProcessHistory, Map<SentMessage, number>>;
}

/** @throws Violation */
export function check(processes: readonly ProcessHistory[]): void {
  const facts = gatherFacts(processes);
  checkConfigurations(facts);
  checkOrder(facts);
  checkSets(facts);
  checkSelfDelivery(facts);
  checkCausality(facts);
  checkSafe(facts);
}

/** 1: once, from whom it says (what was never sent is refused when it is delivered), and in one configuration. */
function gatherFacts(processes: readonly ProcessHistory[]): Facts {
  const facts: Facts = { processes, stays: [], staysIn: new Map(), home: new Map(), places: new Map() };
  for (const process of processes) {
    const places = new Map<SentMessage, number>();
    facts.places.set(process, places);
    let stay: Stay | undefined;
    for (const event of process.events) {
      if (event.kind === 'configuration') {
        stay = enter(facts, process, stay, event.configuration);
      } else if (event.kind === 'deliver') {
        const { message, configuration } = event;
        if (places.has(message))
          throw new Violation('1 once', `${process.name} delivered ${messageName(message)} twice`);
        places.set(message, places.size);
        const current = stay?.transitional ?? stay?.regular;
        if (stay === undefined || configuration !== current) {
          throw new Violation('7 configurations', `${process.name} delivered in one that it is not in`);
        }
        (stay.transitional === undefined ? stay.inRegular : stay.inTransitional).push(message);
        const home = homeOf(configuration);
        const other = facts.home.get(message);
        if (other !== undefined && other !== home) {
          throw new Violation(
            '2 order',
            `${messageName(message)} was delivered in ${other} and, at ${process.name}, in ${home}`,
          );
        }
        facts.home.set(message, home);
      }
    }
  }
  return facts;
}

function enter(
  facts: Facts,
  process: ProcessHistory,
  stay: Stay | undefined,
  configuration: Configuration,
): Stay {
  const complain = (text: string): never => {
    throw new Violation(
      '7 configurations',
      `${process.name}, ${configuration.kind} ${ringName(configuration.ring)}: ${text}`,
    );
  };
  if (!configuration.members.includes(process.id)) complain('installed by who is no member');
  if (configuration.kind === 'transitional') {
    if (stay === undefined || stay.transitional !== undefined) return complain('follows no regular one');
    if (
      configuration.previous === undefined ||
      ringName(configuration.previous) !== ringName(stay.regular.ring)
    ) {
      complain('names another one before it');
    }
    for (const id of configuration.members)
      if (!stay.regular.members.includes(id)) complain(`${id} was not there before`);
    stay.transitional = configuration;
    return stay;
  }
  if (stay !== undefined) {
    const { transitional } = stay;
    if (transitional === undefined || ringName(transitional.ring) !== ringName(configuration.ring))
      complain('no transitional one before it');
    if (configuration.ring.sequence <= stay.regular.ring.sequence)
      complain('is not newer than the one before');
    for (const id of transitional?.members ?? [])
      if (!configuration.members.includes(id)) complain(`${id} was to come along`);
    stay.next = configuration;
  }
  const entered: Stay = {
    process,
    regular: configuration,
    transitional: undefined,
    next: undefined,
    inRegular: [],
    inTransitional: [],
  };
  facts.stays.push(entered);
  const name = ringName(configuration.ring);
  const others = facts.staysIn.get(name);
  if (others === undefined) facts.staysIn.set(name, [entered]);
  else others.push(entered);
  return entered;
}

/** 7 */
function checkConfigurations({ staysIn, stays }: Facts): void {
  for (const [name, list] of staysIn) {
    const [first] = list as [Stay, ...Stay[]];
    const ids = new Set<number>();
    for (const { regular, process } of list) {
      if (regular.members.join() !== first.regular.members.join()) {
        throw new Violation(
          '7 configurations',
          `${name} has other members at ${process.name} than at ${first.process.name}`,
        );
      }
      if (ids.has(process.id))
        throw new Violation('7 configurations', `${name} was installed twice by ${process.id}`);
      ids.add(process.id);
    }
  }
  const transitional = new Map<string, Stay>();
  for (const stay of stays) {
    if (stay.transitional === undefined) continue;
    const name = `${ringName(stay.regular.ring)} to ${ringName(stay.transitional.ring)}`;
    const other = transitional.get(name);
    if (other === undefined) transitional.set(name, stay);
    else if (other.transitional?.members.join() !== stay.transitional.members.join()) {
      throw new Violation(
        '7 configurations',
        `transitional sets from ${name} differ: ${stay.process.name}, ${other.process.name}`,
      );
    }
    // Who is said to come along comes from here if it arrives.
    for (const arrived of staysIn.get(ringName(stay.transitional.ring)) ?? []) {
      const comes = stay.transitional.members.includes(arrived.process.id);
      const from = arrived.regular.previous;
      const fromHere = from !== undefined && ringName(from) === ringName(stay.regular.ring);
      if (comes !== fromHere) {
        throw new Violation(
          '7 configurations',
          `${arrived.process.name} in the transition from ${name}: ${stay.process.name} says otherwise`,
        );
      }
    }
  }
}

/** 2: some one order fits what everybody saw, and what was sent after what. */
function checkOrder({ processes }: Facts): void {
  const after = new Map<SentMessage, Set<SentMessage>>();
  const before = new Map<SentMessage, number>();
  const edge = (a: SentMessage | undefined, b: SentMessage): void => {
    if (!before.has(b)) before.set(b, 0);
    if (a === undefined || a === b) return;
    if (!before.has(a)) before.set(a, 0);
    const set = after.get(a) ?? new Set();
    if (set.size === 0) after.set(a, set);
    if (set.has(b)) return;
    set.add(b);
    before.set(b, before.get(b)! + 1);
  };
  for (const { events } of processes) {
    let delivered: SentMessage | undefined;
    let submitted: SentMessage | undefined;
    for (const event of events) {
      if (event.kind === 'deliver') {
        edge(delivered, event.message);
        delivered = event.message;
      } else if (event.kind === 'submit') {
        edge(delivered, event.message);
        edge(submitted, event.message);
        submitted = event.message;
      }
    }
  }
  const ready: SentMessage[] = [];
  for (const [message, count] of before) if (count === 0) ready.push(message);
  let sorted = 0;
  for (let message = ready.pop(); message !== undefined; message = ready.pop()) {
    sorted++;
    for (const next of after.get(message) ?? []) {
      const left = before.get(next)! - 1;
      before.set(next, left);
      if (left === 0) ready.push(next);
    }
  }
  if (sorted === before.size) return;
  const some = [...before].filter(([, count]) => count > 0).slice(0, 4);
  throw new Violation(
    '2 order',
    `no one order fits; among others ${some.map(([message]) => messageName(message)).join(', ')}`,
  );
}

/** 3 */
function checkSets({ stays }: Facts): void {
  const groups = new Map<string, Stay>();
  for (const stay of stays) {
    if (stay.transitional === undefined) continue;
    const name = `${ringName(stay.regular.ring)} to ${ringName(stay.transitional.ring)}`;
    const other = groups.get(name);
    if (other === undefined) {
      groups.set(name, stay);
      continue;
    }
    same(name, 'the regular configuration', stay, other, stay.inRegular, other.inRegular);
    // Both have left it: what was delivered in it is complete.
    if (stay.next !== undefined && other.next !== undefined) {
      same(name, 'the transitional configuration', stay, other, stay.inTransitional, other.inTransitional);
    }
  }
}

function same(name: string, where: string, a: Stay, b: Stay, inA: SentMessage[], inB: SentMessage[]): void {
  const [setA, setB] = [new Set(inA), new Set(inB)];
  const missing = inA.find((message) => !setB.has(message)) ?? inB.find((message) => !setA.has(message));
  if (missing === undefined) return;
  const who = setA.has(missing) ? a : b;
  throw new Violation(
    '3 same sets',
    `from ${name}, in ${where}, of ${a.process.name} and ${b.process.name} only ${who.process.name} delivered ${messageName(missing)}`,
  );
}

/** 4 */
function checkSelfDelivery({ processes, places }: Facts): void {
  for (const process of processes) {
    if (process.crashed) continue;
    for (const event of process.events) {
      if (event.kind === 'submit' && !places.get(process)?.has(event.message)) {
        throw new Violation(
          '4 self-delivery',
          `${process.name} never delivered its own ${messageName(event.message)}`,
        );
      }
    }
  }
}

/** 5: whatever is delivered comes after what its sender saw and sent before, in the same configuration. */
function checkCausality({ processes, places, home }: Facts): void {
  const causes = new Map<SentMessage, SentMessage[]>();
  for (const { events } of processes) {
    let delivered: SentMessage | undefined;
    let submitted: SentMessage | undefined;
    for (const event of events) {
      if (event.kind === 'deliver') delivered = event.message;
      else if (event.kind === 'submit') {
        causes.set(
          event.message,
          [delivered, submitted].filter((message) => message !== undefined),
        );
        submitted = event.message;
      }
    }
  }
  for (const process of processes) {
    const seen = places.get(process)!;
    for (const [message, place] of seen) {
      for (const cause of causes.get(message) ?? []) {
        if (home.get(cause) !== home.get(message)) continue;
        const at = seen.get(cause);
        if (at === undefined || at > place) {
          throw new Violation(
            '5 causality',
            `${process.name} delivered ${messageName(message)} without ${messageName(cause)} before it`,
          );
        }
      }
    }
  }
}

/** 6 */
function checkSafe({ stays, staysIn, places }: Facts): void {
  for (const stay of stays) {
    for (const message of stay.inRegular) owe(stay, message, stay.regular.members, true);
    for (const message of stay.inTransitional) owe(stay, message, stay.transitional!.members, false);
  }

  function owe(stay: Stay, message: SentMessage, members: readonly number[], mustBeThere: boolean): void {
    if (message.service !== 'safe') return;
    const there = staysIn.get(ringName(stay.regular.ring))!;
    for (const id of members) {
      const other = there.find(({ process }) => process.id === id);
      if (other === undefined) {
        if (!mustBeThere) continue;
        throw new Violation(
          '6 safe',
          `${stay.process.name} delivered ${messageName(message)}, but ${id} was never in ${ringName(stay.regular.ring)}`,
        );
      }
      if (places.get(other.process)!.has(message)) continue;
      // Failed while it was there: then it owes nothing.
      if (other.process.crashed && other.next === undefined) continue;
      throw new Violation(
        '6 safe',
        `${stay.process.name} delivered ${messageName(message)} in ${ringName(stay.regular.ring)}, ${other.process.name} never did`,
      );
    }
  }
}
