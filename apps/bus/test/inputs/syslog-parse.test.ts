import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseSyslog } from '../../src/inputs/syslog/parse.ts';

const now = new Date(2026, 10, 22, 12, 0, 0);
const parse = (text: string) => parseSyslog(Buffer.from(text), now);
const none = { pid: null, message_id: null, structured_data: null };

test('nginx’s datagrams, with a host name and without', () => {
  const line =
    '127.0.0.1 - - [22/Nov/2026:04:05:51 +0000] "GET /a?x=1 HTTP/1.1" 200 3 "-" "Python-urllib/3.11"';
  const time = new Date(2026, 10, 22, 4, 5, 51).toISOString();
  const from = { facility: 'local7', severity: 'info', time, ...none };
  expect(parse(`<190>Nov 22 04:05:51 vm nginx: ${line}`)).toEqual({
    ...from,
    host: 'vm',
    app: 'nginx',
    message: line,
  });
  expect(parse('<190>Nov 22 04:05:51 nj: {"a": 1}')).toEqual({
    ...from,
    host: null,
    app: 'nj',
    message: '{"a": 1}',
  });
});

test('RFC 3164: a process id, a day of one digit, no tag', () => {
  expect(parse("<34>Oct  1 22:14:15 mymachine su[12]: 'su root' failed")).toMatchObject({
    ...{
      facility: 'auth',
      severity: 'crit',
      host: 'mymachine',
      app: 'su',
      pid: '12',
      message: "'su root' failed",
    },
  });
  expect(parse('<13>Oct  1 22:14:15 h just words')).toMatchObject({
    host: 'h',
    app: null,
    message: 'just words',
  });
});

test('a message of 31 December that comes in January is of last year', () => {
  const { time } = parseSyslog(Buffer.from('<13>Dec 31 23:59:59 h a: b'), new Date(2027, 0, 1));
  expect(time).toBe(new Date(2026, 11, 31, 23, 59, 59).toISOString());
});

test('RFC 5424: its own examples', () => {
  expect(
    parse(
      '<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It’s time to make the do-nuts.',
    ),
  ).toEqual({
    ...{
      facility: 'local4',
      severity: 'notice',
      time: '2003-08-24T05:14:15.000003-07:00',
      host: '192.0.2.1',
    },
    ...{ app: 'myproc', pid: '8710', message_id: null, structured_data: null },
    message: '%% It’s time to make the do-nuts.',
  });
  const example =
    '<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [exampleSDID@32473 iut="3" eventSource="Application" eventID="1011"][examplePriority@32473 class="hi\\"gh\\]"]';
  expect(parse(`${example} \ufeffAn event`)).toMatchObject({
    message_id: 'ID47',
    structured_data: {
      'exampleSDID@32473': { iut: '3', eventSource: 'Application', eventID: '1011' },
      'examplePriority@32473': { class: 'hi"gh]' },
    },
    message: 'An event',
  });
  expect(parse(example)).toMatchObject({ message: '', message_id: 'ID47' });
});

test.each([
  ['no priority', 'hello'],
  ['a priority beyond 191', '<192>Oct  1 22:14:15 h a: b'],
  ['structured data without an end', '<13>1 - - - - - [id a="b" text'],
  ['a day that is none', '<13>Feb 31 10:00:00 h a: b'],
  ['nothing', ''],
])('%s: the text is the message', (_, text) => {
  expect(parse(text)).toMatchObject({ malformed: true, message: text.replace(/^<13>/, '') });
});

test('names like those of objects’ own properties are names', () => {
  const event = parse('<13>1 - - - - - [__proto__ constructor="x"] m');
  expect(JSON.stringify(event)).toContain('"structured_data":{"__proto__":{"constructor":"x"}}');
});

test('whatever comes is an event, in linear time', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      '<13>',
      '1 ',
      '- ',
      '[',
      ']',
      '"',
      '\\',
      '=',
      ' a="',
      'Nov 22 04:05:51 ',
      'h ',
      'a: ',
      '<',
      '\0',
    ),
    fc.string({ maxLength: 8 }),
  );
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array)),
    fc.array(piece, { maxLength: 60 }).map((pieces) => Buffer.from(pieces.join(''))),
  );
  fc.assert(
    fc.property(bytes, (input) => {
      const event = parseSyslog(input, now);
      expect(typeof event.message).toBe('string');
      expect(JSON.parse(JSON.stringify(event)).severity).toMatch(/^[a-z]+$/);
    }),
    { numRuns: Number(process.env.ROOKERY_TEST_FUZZ_RUNS ?? 2000) },
  );
  for (const text of [
    `<13>1 - - - - - [a ${'b="'.repeat(20_000)}`,
    `<13>Nov 22 04:05:51 ${'a'.repeat(60_000)}`,
    `<13>1 - - - - - ${'[a]'.repeat(20_000)}`,
  ]) {
    // The best of some: the machine may stop in one.
    const tookMs = Array.from({ length: 5 }, () => {
      const begun = performance.now();
      parse(text);
      return performance.now() - begun;
    });
    expect(Math.min(...tookMs)).toBeLessThan(200);
  }
});
