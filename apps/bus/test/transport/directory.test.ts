/** What a stranger may make a daemon keep or send, and what counts as a proof. */
import { Random, SimulatedClock } from '@rookery/testkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { type Address, addressOf } from '../../src/transport/address.ts';
import { CHALLENGE_MS } from '../../src/transport/challenges.ts';
import { LEARNED_MAX, UNANSWERED_MS } from '../../src/transport/contacts.ts';
import { Directory, type DirectoryOutput, type Instance } from '../../src/transport/directory.ts';

let clock: SimulatedClock;
let directory: Directory<undefined>;

const place = (n: number): Address => addressOf(`10.0.${n >> 8}.${n & 255}`, 5000);
const asks = (outputs: readonly DirectoryOutput[]) => outputs.filter((output) => output.kind === 'ask');
const now = (): number => clock.elapsedMs;

beforeEach(() => {
  clock = new SimulatedClock();
  const random = new Random(7);
  const nonce = (): Buffer => random.bytes(16);
  directory = new Directory({ id: 1, key: 'own', now: 0, nonce, group: undefined });
});

/** A stranger's datagram, and the nonce of the question that it leads to. */
function wonder(key: string, from: Address): [Instance<undefined>, Buffer | undefined] {
  const instance = directory.find(key) ?? directory.add(now(), key, undefined, from);
  directory.wonder(now(), instance, from);
  return [instance, asks(directory.take())[0]?.nonce];
}

function prove(instance: Instance<undefined>, id: number, nonce: Buffer, from: Address, ageMs = 0): boolean {
  return directory.proof(now(), instance, from, { nonce, id, name: `d${id}`, ageMs }, 100);
}

function meet(key: string, id: number, from: Address): Instance<undefined> {
  const [instance, nonce] = wonder(key, from);
  expect(prove(instance, id, nonce!, from)).toBe(true);
  directory.take();
  return instance;
}

describe('a stranger', () => {
  it('is asked at once, and then each 20 ms while it goes on speaking', async () => {
    let asked = 0;
    for (let ms = 0; ms < 200; ms++) {
      if (wonder('a', place(1))[1] !== undefined) asked++;
      await clock.advance(1);
    }
    expect(asked).toBe(10);
  });

  it('of many instances at one address is asked no more than 50 times a second', async () => {
    let asked = 0;
    for (let ms = 0; ms < 2000; ms++) {
      if (wonder(`instance ${ms}`, place(1))[1] !== undefined) asked++;
      await clock.advance(1);
    }
    expect(asked).toBeLessThanOrEqual(2 * 50 + 5);
    expect(asked).toBeGreaterThan(90);
    expect(directory.limited).toBeGreaterThan(1500);
  });

  it('from many addresses is asked and answered within bounds, and not remembered beyond them', async () => {
    let [asked, answered] = [0, 0];
    for (let i = 0; i < 20_000; i++) {
      const instance = directory.add(now(), `instance ${i}`, undefined, place(i));
      directory.question(now(), instance, place(i), Buffer.alloc(16));
      for (const { kind } of directory.take()) {
        if (kind === 'ask') asked++;
        if (kind === 'answer') answered++;
      }
      if (i % 10 === 0) await clock.advance(1);
    }
    // 2 seconds.
    expect(asked).toBeLessThanOrEqual(512 + 2 * 1000);
    expect(answered).toBeLessThanOrEqual(512 + 2 * 2000);
    expect(directory.counts).toMatchObject({ unproven: 256, proven: 0 });
    expect(directory.counts.challenges).toBeLessThanOrEqual(1024);
  });

  it('does not push out who has proven itself', () => {
    meet('friend', 2, place(2));
    for (let i = 0; i < 2000; i++) directory.add(now(), `instance ${i}`, undefined, place(i));
    expect(directory.holder(2)?.key).toBe('friend');
  });
});

describe('a proof', () => {
  it('counts only with a nonce of ours, in time', async () => {
    const [instance, nonce] = wonder('a', place(1));
    expect(prove(instance, 2, Buffer.alloc(16, 1), place(1))).toBe(false);
    await clock.advance(CHALLENGE_MS + 1);
    expect(prove(instance, 2, nonce!, place(1))).toBe(false);
    expect(directory.holder(2)).toBeUndefined();
    const [, again] = wonder('a', place(1));
    expect(prove(instance, 2, again!, place(1))).toBe(true);
    expect(directory.holder(2)).toBe(instance);
  });

  it('that was asked for before the successor proved itself changes nothing', async () => {
    const [former, asked] = wonder('former', place(1));
    await clock.advance(100);
    meet('successor', 2, place(1));
    expect(prove(former, 2, asked!, place(1))).toBe(false);
    expect(directory.holder(2)?.key).toBe('successor');
  });

  it('does not change the id of an instance', async () => {
    const instance = meet('a', 2, place(1));
    await clock.advance(20);
    directory.wonder(now(), instance, place(9));
    expect(prove(instance, 3, asks(directory.take())[0]!.nonce, place(9))).toBe(false);
    expect(directory.holder(3)).toBeUndefined();
    expect(directory.holder(2)?.address).toEqual(place(1));
  });

  it('makes what was sent before it void', () => {
    const instance = meet('a', 2, place(1));
    expect(directory.admit(now(), instance, place(1), 99)).toBe('replayed');
    expect(directory.admit(now(), instance, place(1), 100)).toBe('replayed');
    expect(directory.admit(now(), instance, place(1), 102)).toBe('fresh');
    expect(directory.admit(now(), instance, place(1), 101)).toBe('fresh');
    expect(directory.admit(now(), instance, place(1), 101)).toBe('replayed');
  });
});

it('members beyond 256 push out who was heard longest ago', async () => {
  for (let id = 2; id < 300; id++) {
    await clock.advance(25);
    meet(`instance ${id}`, id, place(id));
  }
  expect(directory.counts.proven).toBe(256);
  expect(directory.holder(2)).toBeUndefined();
  expect(directory.holder(299)).toBeDefined();
});

it('addresses that a peer invents are bounded, asked within the limits, and forgotten; seeds are not', async () => {
  directory.setSeeds(now(), [place(50)]);
  for (let i = 0; i < 5000; i++) {
    directory.others(now(), [place(1000 + i)]);
    if (i % 50 === 0) await clock.advance(1);
  }
  expect(directory.counts.contacts).toBeLessThanOrEqual(LEARNED_MAX + 1);
  expect(asks(directory.take()).length).toBeLessThanOrEqual(512 + 100);
  for (let ms = 0; ms < UNANSWERED_MS + 1000; ms += 100) {
    directory.take();
    directory.tick(now());
    await clock.advance(100);
  }
  expect(directory.counts.contacts).toBe(1);
  await clock.advance(1000);
  directory.take();
  directory.tick(now());
  expect(asks(directory.take()).map(({ to }) => to)).toEqual([place(50)]);
});

it('peers are told of each other, but not of addresses that mean something else to them', async () => {
  const told = (outputs: readonly DirectoryOutput[]) => outputs.filter((output) => output.kind === 'tell');
  meet('a', 2, addressOf('10.0.0.1', 1));
  meet('b', 3, addressOf('127.0.0.1', 2));
  meet('c', 4, addressOf('fe80::1%eth0', 3));
  const [instance, nonce] = wonder('d', addressOf('10.0.0.9', 4));
  expect(prove(instance, 5, nonce!, addressOf('10.0.0.9', 4))).toBe(true);
  expect(told(directory.take())).toEqual([
    { kind: 'tell', to: addressOf('10.0.0.9', 4), addresses: [addressOf('10.0.0.1', 1)] },
  ]);
});
