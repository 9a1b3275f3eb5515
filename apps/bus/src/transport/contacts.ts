/**
 * Whom to ask who they are, and when: configured addresses (seeds, or the multicast group), learned ones, and where
 * proofs came from. Pure.
 */
import type { Address } from './address.ts';

/** Between the first questions to an address that doesn't answer; then half as often each time. */
const FIRST_AGAIN_MS = 100;
/** The most between questions: to a seed, which may come at any time, and to a new address, */
const SOON_AGAIN_MS = 500;
/** and to one where somebody was who may come back. */
const LATER_AGAIN_MS = 5000;
/** Who wasn't heard for so long is asked: in an idle ring most members say nothing to each other. */
export const QUIET_MS = 1000;
/** A learned address that never answered was wrong, or is not ours to reach. */
export const UNANSWERED_MS = 10_000;
/** One that did answer is asked so much longer: a cut between two that found each other by a third heals by this. */
export const FORGET_MS = 3_600_000;
/** Twice the members of the largest ring. */
export const LEARNED_MAX = 256;

interface Contact {
  readonly address: Address;
  seed: boolean;
  /** Learned, or heard of again. */
  sinceMs: number;
  /** When somebody there was last heard; -Infinity for never. */
  heardMs: number;
  dueMs: number;
  againMs: number;
}

export class Contacts {
  readonly #contacts = new Map<string, Contact>();
  #learned = 0;

  /** The configured addresses from now on. What was one before stays as a learned one. */
  setSeeds(now: number, seeds: readonly Address[]): void {
    const keys = new Set(seeds.map(({ key }) => key));
    for (const contact of this.#contacts.values()) {
      if (contact.seed && !keys.has(contact.address.key)) this.#setSeed(contact, false, now);
    }
    for (const address of seeds) {
      const contact = this.#contacts.get(address.key) ?? this.#add(now, address);
      this.#setSeed(contact, true, now);
    }
  }

  /** Somebody told it. False if it is known already, or too many are. */
  learn(now: number, address: Address): boolean {
    if (this.#contacts.has(address.key)) return false;
    if (this.#learned >= LEARNED_MAX && !this.#evict(Number.NEGATIVE_INFINITY)) return false;
    this.#add(now, address);
    return true;
  }

  /** A proof came from there. */
  proven(now: number, address: Address): void {
    let contact = this.#contacts.get(address.key);
    if (contact === undefined) {
      if (this.#learned >= LEARNED_MAX) this.#evict(now);
      contact = this.#add(now, address);
    }
    contact.heardMs = now;
  }

  /**
   * Addresses to be asked now.
   *
   * @param heardAt when who has proven to be there was heard last; undefined for nobody
   */
  due(now: number, heardAt: (address: Address) => number | undefined): Address[] {
    const due: Address[] = [];
    for (const contact of this.#contacts.values()) {
      const { address, seed } = contact;
      contact.heardMs = Math.max(contact.heardMs, heardAt(address) ?? contact.heardMs);
      const silentMs = now - contact.heardMs;
      if (silentMs < QUIET_MS) {
        contact.againMs = FIRST_AGAIN_MS;
        contact.dueMs = now;
      } else if (!seed && silentMs >= FORGET_MS && now - contact.sinceMs >= UNANSWERED_MS) {
        this.#delete(contact);
      } else if (now >= contact.dueMs) {
        due.push(address);
        contact.dueMs = now + contact.againMs;
        const soon = seed || contact.heardMs === Number.NEGATIVE_INFINITY;
        contact.againMs = Math.min(2 * contact.againMs, soon ? SOON_AGAIN_MS : LATER_AGAIN_MS);
      }
    }
    return due;
  }

  get count(): number {
    return this.#contacts.size;
  }

  #add(now: number, address: Address): Contact {
    const contact = {
      address,
      seed: false,
      sinceMs: now,
      heardMs: Number.NEGATIVE_INFINITY,
      dueMs: now,
      againMs: FIRST_AGAIN_MS,
    };
    this.#contacts.set(address.key, contact);
    this.#learned++;
    return contact;
  }

  #setSeed(contact: Contact, seed: boolean, now: number): void {
    if (contact.seed === seed) return;
    contact.seed = seed;
    contact.sinceMs = now;
    this.#learned += seed ? -1 : 1;
  }

  #delete(contact: Contact): void {
    this.#contacts.delete(contact.address.key);
    if (!contact.seed) this.#learned--;
  }

  /** Makes room by the learned address that was heard longest ago, if that is before `before` or was never. */
  #evict(before: number): boolean {
    let oldest: Contact | undefined;
    for (const contact of this.#contacts.values()) {
      if (!contact.seed && (oldest === undefined || contact.heardMs < oldest.heardMs)) oldest = contact;
    }
    if (oldest === undefined || oldest.heardMs > before) return false;
    this.#delete(oldest);
    return true;
  }
}
