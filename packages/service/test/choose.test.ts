import { describe, expect, it } from 'vitest';
import { choose, parseChoice } from '../src/index.ts';

interface Row {
  readonly name: string;
  readonly depth: number;
}
const figures = { depth: ({ depth }: Row) => depth };
const ask = (query: string) => parseChoice(new URLSearchParams(query), figures);

describe('a table’s choice', () => {
  it('is what sorting all rows and cutting gives, wherever it begins', () => {
    const rows = Array.from({ length: 3000 }, (_, number) => ({
      name: `q${number}`,
      depth: (number * 7919) % 47,
    }));
    const byName = (a: Row, b: Row): number => (a.name < b.name ? -1 : 1);
    for (const sign of [1, -1]) {
      const order = sign < 0 ? 'descending' : 'ascending';
      const sorted = rows.toSorted((a, b) => sign * (a.depth - b.depth) || byName(a, b));
      const named = rows.toSorted((a, b) => sign * byName(a, b));
      for (const from of [0, 7, 1500, 2990]) {
        const cut = `order=${order}&from=${from}&limit=20`;
        expect(choose(rows, ask(`sort=depth&${cut}`), figures).rows).toEqual(sorted.slice(from, from + 20));
        expect(choose(rows, ask(`sort=name&${cut}`), figures).rows).toEqual(named.slice(from, from + 20));
      }
    }
  });

  it('looks for a part of the name, whatever its case', () => {
    const rows = ['Mail.send', 'mail.bounce', 'audit'].map((name) => ({ name, depth: 0 }));
    const { rows: found, matching } = choose(rows, ask('search=MAIL&limit=1'), figures);
    expect([found.map(({ name }) => name), matching]).toEqual([['Mail.send'], 2]);
  });

  it('that is none is refused', () => {
    expect(() => ask('sort=constructor')).toThrow('sort: expected name, depth');
    expect(() => ask('limit=201')).toThrow('limit: expected a whole number up to 200');
    expect(() => ask('from=-1')).toThrow('from: expected a whole number');
  });
});
