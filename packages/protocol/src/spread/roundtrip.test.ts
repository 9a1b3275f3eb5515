import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  clientReads,
  cutsOf,
  daemonReads,
  everyByte,
  group,
  ME,
  member,
  membership,
  message,
  order,
  plain,
  sending,
  transition,
} from '../../test/spread.ts';
import {
  Output,
  TypeBit,
  writeJoin,
  writeLeave,
  writeMembership,
  writeMessage,
  writeMulticast,
  writeReject,
  writeSelfLeave,
  writeTransition,
} from './index.ts';

type Item = Parameters<typeof plain>[0];
interface Case {
  readonly write: (out: Output) => void;
  readonly expected: Record<string, unknown>;
}

/** For any list of frames and any cuts, what was written is read. */
function holds(
  cases: fc.Arbitrary<Case>,
  reads: (bytes: Buffer, cuts: readonly number[]) => Record<string, unknown>[],
): void {
  fc.assert(
    fc.property(fc.array(cases, { minLength: 1, maxLength: 6 }), fc.nat(), (list, seed) => {
      const out = new Output(256);
      for (const { write } of list) write(out);
      const bytes = Buffer.concat(out.take());
      const expected = list.map((one) => one.expected);
      const [cuts] = fc.sample(cutsOf(bytes.length), { numRuns: 1, seed });
      expect(reads(bytes, cuts!)).toEqual(expected);
      if (bytes.length < 2000) expect(reads(bytes, everyByte(bytes))).toEqual(expected);
    }),
    { numRuns: 400 },
  );
}

describe('in either byte order, cut anywhere', () => {
  it('a daemon reads what a client sends', () => {
    holds(
      fc.oneof(
        fc.tuple(sending, order).map(([one, from]): Case => {
          return {
            write: (out) => writeMulticast(out, ME, one, from),
            expected: plain({ kind: 'multicast', ...one, messageOrder: from }),
          };
        }),
        fc.tuple(group, order).map(([name, from]): Case => {
          return { write: (out) => writeJoin(out, ME, name, from), expected: { kind: 'join', group: name } };
        }),
        fc.tuple(group, order).map(([name, from]): Case => {
          return {
            write: (out) => writeLeave(out, ME, name, from),
            expected: { kind: 'leave', group: name },
          };
        }),
      ),
      daemonReads,
    );
  });

  it('a client reads what a daemon sends', () => {
    const cased = <T>(
      arbitrary: fc.Arbitrary<T>,
      write: (out: Output, one: T, from: 'little' | 'big') => void,
      expected: (one: T) => Record<string, unknown>,
    ): fc.Arbitrary<Case> =>
      fc.tuple(arbitrary, order).map(([one, from]) => ({
        write: (out) => write(out, one, from),
        expected: expected(one),
      }));
    const rejected = fc
      .tuple(message, member, fc.constantFrom(0x01, 0x20, 0x44, TypeBit.causedByJoin, TypeBit.causedByLeave))
      .map(([one, sender, type]) => ({ ...one, sender, type }));
    holds(
      fc.oneof(
        cased(message, writeMessage, (one) => plain(one)),
        cased(membership, writeMembership, (one) => ({ ...one })),
        cased(
          transition,
          (out, one, from) => writeTransition(out, one.group, one.id, from),
          (one) => ({ ...one }),
        ),
        cased(group, writeSelfLeave, (name) => ({ kind: 'self_leave', group: name })),
        cased(rejected, writeReject, (one) => {
          const { service: _service, selfDiscard: _discard, ...rest } = one;
          const kind =
            one.type === TypeBit.causedByJoin
              ? 'join'
              : one.type === TypeBit.causedByLeave
                ? 'leave'
                : 'multicast';
          const groups = [...one.groups.slice(0, 99), one.sender];
          return plain({ ...rest, kind: 'reject', rejected: kind, groups } as Item);
        }),
      ),
      clientReads,
    );
  });

  it('what a client sent is what another receives, its type and its order included', () => {
    fc.assert(
      fc.property(sending, order, order, (sent, from, daemon) => {
        const up = new Output();
        writeMulticast(up, ME, sent, from);
        const [read] = daemonReads(Buffer.concat(up.take()));
        const data = Buffer.from(read!.data as string, 'latin1');
        const down = new Output();
        writeMessage(
          down,
          { ...sent, messageOrder: from, ...read, sender: ME, buffer: data, start: 0, end: data.length },
          daemon,
        );
        const [seen] = clientReads(Buffer.concat(down.take()));
        expect(seen).toEqual({ ...read, kind: 'message', sender: ME });
      }),
      { numRuns: 200 },
    );
  });
});
