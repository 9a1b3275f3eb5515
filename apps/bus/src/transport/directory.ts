/**
 * Who is out there: which instances have proven to live, under which id, at which address, and whom to ask. Pure:
 * datagrams' meanings and `now` in, outputs out. docs/internals/bus.md, "Transport".
 *
 * An instance is *unproven* until it answers a question of ours, then the *holder* of its id. When another one proves
 * itself under that id, it was started anew: it takes over at once, and the first is *replaced*. If a replaced one then
 * answers a newer question, both live. Then the one that was started first holds the id while it is heard, so each
 * keeps its place and nothing flaps.
 */
import type { Proof } from '@rookery/protocol/bus';
import { type Address, meansTheSame } from './address.ts';
import { Challenges } from './challenges.ts';
import { Contacts, QUIET_MS } from './contacts.ts';
import { AddressRate } from './rate.ts';
import { ReplayWindow, WINDOW } from './replay-window.ts';

/** Questions to one instance that hasn't proven itself. */
const ASK_AGAIN_MS = 20;
/** Questions to one that lost its id to another, or has ours, or speaks from elsewhere than it proved. */
export const ASK_SELDOM_MS = 1000;
/** Instances of each sort; the one heard longest ago gives way. */
const UNPROVEN_MAX = 256;
const PROVEN_MAX = 256;
/** Who hasn't been heard for so long gets no copies, in spite of questions each second. */
export const SILENT_MS = 10_000;
/** Then it is forgotten, and has to prove itself again. Its address is still asked. */
export const GONE_MS = 60_000;
/** Several times what daemons need of each other; recorded questions don't make us louder than this. */
const ANSWER_RATE = { perSecond: 100, burst: 10, allPerSecond: 2000, allBurst: 512 };

/** @typeParam O what the shell keeps for an instance: what opens its seals */
export interface Instance<O> {
  readonly key: string;
  readonly open: O;
  state: 'unproven' | 'holder' | 'replaced';
  heardMs: number;
  /** From its address. */
  heardThereMs: number;
  askAtMs: number;
  /** The rest is set by the first proof. */
  window: ReplayWindow;
  id: number;
  name: string;
  address: Address;
  /** On our clock. */
  startedMs: number;
  /** Which question the last accepted proof answered. */
  provenBy: number;
  /** Among two that live under one id, the one that has to wait. */
  waits: boolean;
}

export type DirectoryOutput =
  | { readonly kind: 'ask'; readonly to: Address; readonly nonce: Buffer }
  | { readonly kind: 'answer'; readonly to: Address; readonly nonce: Buffer }
  | { readonly kind: 'tell'; readonly to: Address; readonly addresses: readonly Address[] }
  | { readonly kind: 'met'; readonly id: number; readonly name: string; readonly address: Address }
  /** Another one lives under our own id. */
  | {
      readonly kind: 'conflict';
      readonly name: string;
      readonly address: Address;
      readonly startedFirst: boolean;
    }
  /** Two others live under one id. */
  | {
      readonly kind: 'rivals';
      readonly id: number;
      readonly name: string;
      readonly addresses: readonly Address[];
    };

export interface DirectoryOptions {
  readonly id: number;
  /** Our own instance. */
  readonly key: string;
  readonly now: number;
  readonly nonce: () => Buffer;
  /** Where one datagram reaches all. Without it, proven peers are told of each other. */
  readonly group: Address | undefined;
}

export type Admission = 'fresh' | 'replayed' | 'unproven';

export class Directory<O> {
  readonly #options: DirectoryOptions;
  readonly #unproven = new Map<string, Instance<O>>();
  readonly #proven = new Map<string, Instance<O>>();
  readonly #holders = new Map<number, Instance<O>>();
  readonly #challenges: Challenges;
  readonly #contacts = new Contacts();
  readonly #answers = new AddressRate(ANSWER_RATE);
  #toldUpTo = 0;
  #outputs: DirectoryOutput[] = [];
  #targets: Address[] = [];
  /** Asked or answered less than wanted, for the limits. */
  limited = 0;

  constructor(options: DirectoryOptions) {
    this.#options = options;
    this.#challenges = new Challenges(options.nonce);
    if (options.group !== undefined) this.#contacts.setSeeds(options.now, [options.group]);
  }

  /** What is to be done, in this order. */
  take(): DirectoryOutput[] {
    if (this.#outputs.length === 0) return NOTHING;
    const outputs = this.#outputs;
    this.#outputs = [];
    return outputs;
  }

  /** Where those are who have proven themselves and were heard lately: each gets a copy of what goes to all. */
  get targets(): readonly Address[] {
    return this.#targets;
  }

  get holders(): IterableIterator<Instance<O>> {
    return this.#holders.values();
  }

  holder(id: number): Instance<O> | undefined {
    return this.#holders.get(id);
  }

  // hot: once per datagram received.
  /** The holder of an id whose key stands in these bytes, a byte for each character. */
  holderOf(bytes: Uint8Array, at: number): Instance<O> | undefined {
    for (const instance of this.#holders.values()) if (standsAt(bytes, at, instance.key)) return instance;
    return undefined;
  }

  find(key: string): Instance<O> | undefined {
    return this.#proven.get(key) ?? this.#unproven.get(key);
  }

  /** An instance whose seal was right for the first time. */
  add(now: number, key: string, open: O, from: Address): Instance<O> {
    if (this.#unproven.size >= UNPROVEN_MAX) evict(this.#unproven);
    const instance: Instance<O> = {
      key,
      open,
      state: 'unproven',
      heardMs: now,
      heardThereMs: now,
      askAtMs: now,
      window: NO_WINDOW,
      id: 0,
      name: '',
      address: from,
      startedMs: now,
      provenBy: 0,
      waits: false,
    };
    this.#unproven.set(key, instance);
    return instance;
  }

  // hot: once per datagram received.
  admit(now: number, instance: Instance<O>, from: Address, counter: number): Admission {
    if (instance.state !== 'holder') {
      instance.heardMs = now;
      return 'unproven';
    }
    if (!instance.window.accept(counter)) return 'replayed';
    instance.heardMs = now;
    // The very object: the exchange gives that for the same address.
    if (from === instance.address) instance.heardThereMs = now;
    return 'fresh';
  }

  /** Something came from an instance that is not the holder of an id, or not from the address where it proved that. */
  wonder(now: number, instance: Instance<O>, from: Address): void {
    if (now < instance.askAtMs) return;
    if (!this.#ask(now, from)) return;
    const seldom = instance.state === 'holder' || instance.waits;
    instance.askAtMs = now + (seldom ? ASK_SELDOM_MS : ASK_AGAIN_MS);
  }

  /** Without seals: it seems to be so far behind itself that its counter was forged. Its proof will tell. */
  doubt(now: number, instance: Instance<O>, from: Address, counter: number): void {
    if (isFarBehind(instance, counter)) this.wonder(now, instance, from);
  }

  question(now: number, instance: Instance<O>, from: Address, nonce: Buffer): void {
    if (this.#answers.take(now, from.key)) this.#outputs.push({ kind: 'answer', to: from, nonce });
    else this.limited++;
    if (instance.state !== 'holder') this.wonder(now, instance, from);
  }

  /** False: nobody asked, or too long ago. */
  proof(now: number, instance: Instance<O>, from: Address, proof: Proof, counter: number): boolean {
    const serial = this.#challenges.find(now, proof.nonce);
    if (serial === undefined || serial < instance.provenBy) return false;
    if (instance.id !== 0 && instance.id !== proof.id) return false;
    const holder = this.#holders.get(proof.id);
    // Older than what the holder answered: it may have died meanwhile.
    if (holder !== undefined && holder !== instance && serial <= holder.provenBy) return false;
    const first = instance.id === 0;
    // While it is heard from where it is, a proof from elsewhere was relayed, or it has several addresses.
    const moves = instance.address.key !== from.key && now - instance.heardThereMs >= QUIET_MS;
    if (first || moves) instance.address = from;
    instance.id = proof.id;
    instance.name = proof.name;
    instance.provenBy = serial;
    instance.heardMs = now;
    this.#contacts.proven(now, instance.address);
    if (first) {
      instance.startedMs = now - proof.ageMs;
      this.#unproven.delete(instance.key);
      if (this.#proven.size >= PROVEN_MAX) this.#evictProven();
      this.#proven.set(instance.key, instance);
    }
    if (proof.id === this.#options.id) this.#conflict(instance, first);
    else if (holder === instance) {
      if (isFarBehind(instance, counter)) instance.window = new ReplayWindow(counter);
      if (moves) this.#retarget(now);
    } else if (holder === undefined || first || this.#outranks(now, instance, holder)) {
      this.#hold(now, instance, counter, holder);
    }
    return true;
  }

  /** A proven peer told where others are. */
  others(now: number, addresses: readonly Address[]): void {
    let news = false;
    for (const address of addresses) news = this.#contacts.learn(now, address) || news;
    if (news) this.#askDue(now);
  }

  /** Asks whom it doesn't know yet at once. */
  setSeeds(now: number, seeds: readonly Address[]): void {
    this.#contacts.setSeeds(now, seeds);
    this.#askDue(now);
  }

  /** To be called about each 100 ms. */
  tick(now: number): void {
    this.#challenges.expire(now);
    for (const instance of this.#proven.values())
      if (now - instance.heardMs > GONE_MS) this.#forget(instance);
    this.#askDue(now);
    this.#retarget(now);
    if (this.#options.group === undefined) this.#tellNext();
  }

  get counts(): { unproven: number; proven: number; challenges: number; contacts: number } {
    return {
      unproven: this.#unproven.size,
      proven: this.#proven.size,
      challenges: this.#challenges.count,
      contacts: this.#contacts.count,
    };
  }

  /** A replaced one answered, so two live under one id, unless the holder went silent. Whether the place is its own. */
  #outranks(now: number, instance: Instance<O>, holder: Instance<O>): boolean {
    instance.waits = false;
    if (now - holder.heardMs >= QUIET_MS) return true;
    const before = startedBefore(instance, holder);
    if (!before) instance.waits = true;
    instance.askAtMs = now + ASK_SELDOM_MS;
    this.#outputs.push({
      kind: 'rivals',
      id: holder.id,
      name: holder.name,
      addresses: [holder.address, instance.address],
    });
    // So that they find out: only they can end it.
    this.#tell(holder.address, [instance.address]);
    this.#tell(instance.address, [holder.address]);
    return before;
  }

  #hold(now: number, instance: Instance<O>, counter: number, before: Instance<O> | undefined): void {
    if (before !== undefined) {
      before.state = 'replaced';
      before.askAtMs = now;
    }
    instance.state = 'holder';
    instance.waits = false;
    // What it sent before may have been recorded. Never lower than it was: it may have held this place before.
    instance.window = new ReplayWindow(Math.max(counter, instance.window.highest));
    this.#holders.set(instance.id, instance);
    this.#outputs.push({ kind: 'met', id: instance.id, name: instance.name, address: instance.address });
    this.#retarget(now);
    if (this.#options.group === undefined) this.#tell(instance.address, this.#targets);
  }

  #conflict(instance: Instance<O>, first: boolean): void {
    instance.waits = true;
    if (!first) return;
    const { key, now: startedMs } = this.#options;
    const startedFirst = startedBefore(instance, { key, startedMs });
    this.#outputs.push({
      kind: 'conflict',
      name: instance.name,
      address: instance.address,
      startedFirst,
    });
  }

  #ask(now: number, to: Address): boolean {
    const nonce = this.#challenges.ask(now, to.key);
    if (nonce === undefined) {
      this.limited++;
      return false;
    }
    this.#outputs.push({ kind: 'ask', to, nonce });
    return true;
  }

  #askDue(now: number): void {
    const heard = new Map<string, number>();
    const { group } = this.#options;
    for (const { address, heardMs } of this.#holders.values()) {
      heard.set(address.key, heardMs);
      if (group !== undefined) heard.set(group.key, Math.max(heardMs, heard.get(group.key) ?? heardMs));
    }
    for (const address of this.#contacts.due(now, ({ key }) => heard.get(key))) this.#ask(now, address);
  }

  #retarget(now: number): void {
    const targets: Address[] = [];
    for (const { address, heardMs } of this.#holders.values()) {
      if (now - heardMs < SILENT_MS) targets.push(address);
    }
    this.#targets = targets;
  }

  /**
   * One peer at each tick, so that a lost telling is made good soon, and many peers cost no more than few. Also when
   * there is nothing to tell: a peer that we know may not know us, if what we answered was lost, and this makes it ask.
   */
  #tellNext(): void {
    if (this.#targets.length === 0) return;
    this.#toldUpTo = (this.#toldUpTo + 1) % this.#targets.length;
    this.#tell(this.#targets[this.#toldUpTo]!, this.#targets);
  }

  #tell(to: Address, all: readonly Address[]): void {
    const addresses = all.filter(({ key, host }) => key !== to.key && meansTheSame(host, to.host));
    this.#outputs.push({ kind: 'tell', to, addresses });
  }

  /** Who holds no id goes first, then who was heard longest ago. */
  #evictProven(): void {
    let oldest: Instance<O> | undefined;
    for (const instance of this.#proven.values()) {
      if (oldest === undefined) oldest = instance;
      else if ((instance.state === 'holder') !== (oldest.state === 'holder')) {
        if (oldest.state === 'holder') oldest = instance;
      } else if (instance.heardMs < oldest.heardMs) oldest = instance;
    }
    if (oldest !== undefined) this.#forget(oldest);
  }

  #forget(instance: Instance<O>): void {
    this.#proven.delete(instance.key);
    if (this.#holders.get(instance.id) === instance) this.#holders.delete(instance.id);
  }
}

const NOTHING: DirectoryOutput[] = [];
const NO_WINDOW = new ReplayWindow(0);

/** With seals, a proof that is would have been taken for a replay. */
function isFarBehind({ window }: Instance<unknown>, counter: number): boolean {
  return window.highest - counter >= WINDOW;
}

function standsAt(bytes: Uint8Array, at: number, key: string): boolean {
  for (let index = 0; index < key.length; index++) {
    if (bytes[at + index] !== key.charCodeAt(index)) return false;
  }
  return true;
}

function evict<O>(instances: Map<string, Instance<O>>): void {
  let oldest: Instance<O> | undefined;
  for (const instance of instances.values()) {
    if (oldest === undefined || instance.heardMs < oldest.heardMs) oldest = instance;
  }
  if (oldest !== undefined) instances.delete(oldest.key);
}

interface Started {
  readonly key: string;
  readonly startedMs: number;
}

/** By their ages; the keys decide what a round trip's inaccuracy can't, and alike for everybody who compares. */
function startedBefore(a: Started, b: Started): boolean {
  if (Math.abs(a.startedMs - b.startedMs) > 100) return a.startedMs < b.startedMs;
  return a.key < b.key;
}
