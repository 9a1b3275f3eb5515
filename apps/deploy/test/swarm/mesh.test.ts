import { Random } from '@rookery/testkit';
import { describe, expect, test } from 'vitest';
import { type Announced, createMesh, FULL_MESH, type Mesh } from '../../src/swarm/tracker/mesh.ts';

function host(number: number, more: Partial<Announced> = {}): Announced {
  const ip = `10.0.${number >> 8}.${number & 255}`;
  return {
    key: `${ip}:1`,
    peerId: `peer-${number}`,
    ip,
    port: 1,
    complete: false,
    origin: false,
    left: 1,
    fetchedBytes: 0,
    sentBytes: 0,
    ...more,
  };
}

function edges(mesh: Mesh): Map<string, ReadonlySet<string>> {
  return new Map([...mesh.members()].map(({ key, neighbours }) => [key, neighbours]));
}

function reachable(graph: Map<string, ReadonlySet<string>>): number {
  const [first] = graph.keys();
  const seen = new Set([first!]);
  for (const key of seen) for (const next of graph.get(key)!) seen.add(next);
  return seen.size;
}

describe('a mesh', () => {
  const random = new Random(1);
  const chance = (): number => random.float();

  test('joins all with all up to thirty at their second announcement, and each pair is dialled from one side only', () => {
    const mesh = createMesh(chance);
    const dialledBy = new Map<string, string>();
    for (let number = 0; number < 2 * FULL_MESH; number++) {
      const { key: own } = host(number % FULL_MESH);
      for (const { key } of mesh.announce(host(number % FULL_MESH), 0)) {
        const pair = [key, own].sort().join();
        expect(key).not.toBe(own);
        expect([own, undefined]).toContain(dialledBy.get(pair));
        dialledBy.set(pair, own);
      }
    }
    expect(dialledBy.size).toBe((FULL_MESH * (FULL_MESH - 1)) / 2);
  });

  test('joins all of a small swarm with all at once', () => {
    const mesh = createMesh(chance);
    for (let number = 0; number < 10; number++) mesh.announce(host(number), 0);
    for (const { size } of edges(mesh).values()) expect(size).toBe(9);
  });

  test('gives nobody of forty that come at once many neighbours, and leaves nobody out', () => {
    for (let seed = 0; seed < 50; seed++) {
      const random = new Random(seed);
      const mesh = createMesh(() => random.float());
      for (let number = 0; number < 40; number++) mesh.announce(host(number), 0);
      const graph = edges(mesh);
      expect(reachable(graph)).toBe(40);
      const sizes = [...graph.values()].map(({ size }) => size);
      expect(Math.min(...sizes)).toBeGreaterThanOrEqual(5);
      expect(sizes.reduce((sum, size) => sum + size, 0) / 40).toBeLessThan(11);
      // At the next announcement each has at least eight.
      for (let number = 0; number < 40; number++) mesh.announce(host(number), 1);
      for (const { size } of edges(mesh).values()) expect(size).toBeGreaterThanOrEqual(8);
    }
  });

  test('asks newcomers to announce again soon while they can be joined with all, and only then', () => {
    const mesh = createMesh(chance);
    for (let number = 0; number < 17; number++) mesh.announce(host(number), 0);
    const lacking = [...mesh.members()].filter(({ key }) => mesh.isLacking(key));
    expect(lacking.length).toBeGreaterThan(0);
    for (const member of lacking) mesh.announce(member, 2_000);
    for (const { size } of edges(mesh).values()) expect(size).toBe(16);
    expect([...mesh.members()].some(({ key }) => mesh.isLacking(key))).toBe(false);
    for (let number = 17; number < 40; number++) mesh.announce(host(number), 3_000);
    expect([...mesh.members()].some(({ key }) => mesh.isLacking(key))).toBe(false);
  });

  test('gives each of a thousand hosts some neighbours, and leaves nobody out', () => {
    const mesh = createMesh(chance);
    for (let number = 0; number < 2_000; number++) mesh.announce(host(number % 1_000), 0);
    const graph = edges(mesh);
    expect(reachable(graph)).toBe(1_000);
    const later = [...graph.values()].slice(FULL_MESH).map(({ size }) => size);
    expect(Math.min(...later)).toBeGreaterThanOrEqual(8);
    const mean = later.reduce((sum, size) => sum + size, 0) / later.length;
    expect(mean).toBeLessThan(20);
  });

  test('prefers the own rack, and still keeps racks together', () => {
    const mesh = createMesh(chance);
    for (let number = 0; number < 300; number++)
      mesh.announce(host(number, { rack: `rack-${number % 5}` }), 0);
    const rackOf = new Map([...mesh.members()].map(({ key, rack }) => [key, rack]));
    let same = 0;
    let all = 0;
    for (const [key, neighbours] of [...edges(mesh)].slice(100)) {
      all += neighbours.size;
      for (const other of neighbours) if (rackOf.get(other) === rackOf.get(key)) same++;
    }
    // By chance it would be a fifth.
    expect(same / all).toBeGreaterThan(0.35);
    expect(reachable(edges(mesh))).toBe(300);
  });

  test('makes up for neighbours that are gone, at the next announcement', () => {
    const mesh = createMesh(chance);
    for (let number = 0; number < 200; number++) mesh.announce(host(number), 0);
    for (let number = 0; number < 200; number++) if (number % 2 === 0) mesh.announce(host(number), 100);
    mesh.expire(50);
    for (let number = 0; number < 200; number += 2) mesh.announce(host(number), 101);
    const graph = edges(mesh);
    expect(graph.size).toBe(100);
    expect(reachable(graph)).toBe(100);
    for (const { size } of graph.values()) expect(size).toBeGreaterThanOrEqual(8);
  });

  test('joins no host that has everything with another that has', () => {
    const mesh = createMesh(chance);
    mesh.announce(host(1, { complete: true, origin: true }), 0);
    expect(mesh.announce(host(2, { complete: true, origin: true }), 0)).toEqual([]);
  });
});
