/**
 * One order per component of a network that splits and merges, as a ring gives it, with nothing of how a ring does it:
 * daemons with the real groups, whose sessions are told what they would be told over a wire, later.
 */
import type { Random } from '@rookery/testkit';
import type { Message, View } from '../../../src/client/index.ts';
import { Groups } from '../../../src/groups/groups.ts';
import type { GroupOutput } from '../../../src/groups/types.ts';
import type { Configuration, RingOutput, Service } from '../../../src/index.ts';

type Told = View | Message;

interface Sent {
  readonly sender: number;
  readonly service: Service;
  readonly payload: Buffer;
}

/** Daemons that hear each other. */
interface Component {
  readonly members: readonly number[];
  readonly configuration: Configuration;
  readonly order: Sent[];
}

interface Daemon {
  readonly id: number;
  readonly groups: Groups;
  component: Component;
  /** How much of the component's order it has delivered. */
  delivered: number;
  /** What waits for its place in the order; a change of components finds it still waiting. */
  readonly queue: Sent[];
}

export class OrderedNetwork {
  readonly #random: Random;
  readonly #daemons: Daemon[];
  /** What each session has not read yet. */
  readonly inboxes = new Map<string, Told[]>();
  #sequence = 1;

  constructor(random: Random, count: number) {
    this.#random = random;
    this.#daemons = Array.from({ length: count }, (_, index) => {
      const id = index + 1;
      const component = this.#component([id], undefined);
      const daemon = { id, groups: new Groups({ id, name: `d${id}` }), component, delivered: 0, queue: [] };
      daemon.groups.onRing({ kind: 'configuration', configuration: component.configuration });
      return daemon;
    });
    for (const daemon of this.#daemons) this.#drain(daemon);
    this.split([this.#daemons.map(({ id }) => id)]);
  }

  get ids(): number[] {
    return this.#daemons.map(({ id }) => id);
  }

  get idle(): boolean {
    return this.#daemons.every(
      ({ component, delivered, queue }) => queue.length === 0 && delivered === component.order.length,
    );
  }

  connect(id: number, name: string): string {
    const session = this.#daemon(id).groups.connect(name, true)!;
    this.inboxes.set(session, []);
    return session;
  }

  act(id: number, act: (groups: Groups) => void): void {
    const daemon = this.#daemon(id);
    act(daemon.groups);
    this.#drain(daemon);
  }

  /** One daemon orders what it wants to send, or delivers one event; false if there is nothing to do anywhere. */
  step(): boolean {
    const busy = this.#daemons.filter(
      ({ component, delivered, queue }) => queue.length > 0 || delivered < component.order.length,
    );
    if (busy.length === 0) return false;
    const daemon = this.#random.pick(busy);
    const { component, delivered, queue } = daemon;
    if (queue.length > 0 && (delivered === component.order.length || this.#random.chance(0.5))) {
      component.order.push(queue.shift()!);
    } else this.#deliver(daemon);
    return true;
  }

  /** Who hears whom from now on. What each part has delivered of its old order is the same within it, and legal. */
  split(parts: readonly (readonly number[])[]): void {
    const old = new Set(this.#daemons.map(({ component }) => component));
    const next = parts.map((ids) =>
      this.#component(
        [...ids].sort((a, b) => a - b),
        undefined,
      ),
    );
    for (const component of next) {
      for (const before of old) {
        const group = this.#daemons.filter(
          (one) => one.component === before && component.members.includes(one.id),
        );
        if (group.length > 0) this.#move(group, before, component);
      }
    }
    for (const daemon of this.#daemons) this.#drain(daemon);
  }

  /** Daemons that go from one component to another together. */
  #move(daemons: readonly Daemon[], before: Component, after: Component): void {
    const ids = daemons.map(({ id }) => id);
    const farthest = Math.max(...daemons.map(({ delivered }) => delivered));
    // What one of them has sent is delivered among them, and all that stands before it.
    const owed = before.order.findLastIndex(({ sender }) => ids.includes(sender)) + 1;
    const until = this.#random.between(Math.max(farthest, owed), before.order.length);
    const transitionAt = this.#random.between(farthest, until);
    const { ring } = after.configuration;
    const previous = before.configuration.ring;
    const transition: Configuration = { kind: 'transitional', ring, previous, members: ids };
    for (const daemon of daemons) {
      while (daemon.delivered < transitionAt) this.#deliver(daemon);
      daemon.groups.onRing({ kind: 'configuration', configuration: transition });
      while (daemon.delivered < until) this.#deliver(daemon);
      daemon.component = after;
      daemon.delivered = 0;
      daemon.groups.onRing({
        kind: 'configuration',
        configuration: { ...after.configuration, previous },
      });
    }
  }

  #component(members: readonly number[], previous: Configuration['previous']): Component {
    const ring = { representative: members[0]!, sequence: this.#sequence++ };
    return { members, configuration: { kind: 'regular', ring, previous, members }, order: [] };
  }

  #deliver(daemon: Daemon): void {
    const { component } = daemon;
    const order = daemon.delivered++;
    const sent = component.order[order]!;
    const output: RingOutput & { kind: 'deliver' } = {
      kind: 'deliver',
      ...sent,
      order,
      configuration: component.configuration,
    };
    daemon.groups.onRing(output);
    this.#drain(daemon);
  }

  #drain(daemon: Daemon): void {
    for (const output of daemon.groups.take()) {
      if (output.kind === 'submit') {
        const { service, payload } = output;
        daemon.queue.push({ sender: daemon.id, service, payload });
      } else this.#hand(output);
    }
  }

  #hand(output: Exclude<GroupOutput, { kind: 'submit' }>): void {
    if (output.kind === 'view') {
      const { id, ...view } = output.view;
      const told: View = { kind: 'view', ...view, id: `${id.daemon}.${id.time}.${id.index}` };
      for (const to of output.to) this.inboxes.get(to)?.push(told);
    } else if (output.kind === 'message') {
      const { from: sender, groups, service, messageType, key, data } = output;
      const told: Message = {
        kind: 'message',
        sender,
        groups,
        service,
        messageType,
        key,
        data: new Uint8Array(data),
        text: '',
      };
      for (const to of output.to) this.inboxes.get(to)?.push(told);
    }
  }

  #daemon(id: number): Daemon {
    return this.#daemons.find((daemon) => daemon.id === id)!;
  }
}
