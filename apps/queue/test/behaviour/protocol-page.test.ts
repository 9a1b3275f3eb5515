import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { fill, server } from './support.ts';

// docs/protocol.md and its page on messages say what the server does: their sessions are held with it, the table of
// dialects is asked of it.

const read = (name: string): string =>
  readFileSync(new URL(`../../../../docs/${name}`, import.meta.url), 'utf8');
const page = read('protocol.md');

const sessions = [
  ...`${page}${read('protocol-messages.md')}`.matchAll(/```(?:session|messages)\n([\s\S]*?)```/g),
].map((match) => match[1]!);

test('the pages have sessions', () => {
  expect(sessions.length).toBeGreaterThan(14);
});

test.each(sessions)('session %#', async (session) => {
  const { connect, advance } = server();
  const client = connect();
  let asked = '';
  let answered = '';
  const exchange = async (): Promise<void> => {
    if (asked !== '') expect(await client.ask(asked), session).toBe(answered);
    asked = '';
    answered = '';
  };
  for (const line of session.trimEnd().split('\n')) {
    if (line.startsWith('~ ')) {
      await exchange();
      await advance(Number(line.slice(2)));
    } else if (!line.startsWith('> ')) answered += `${line}\r\n`;
    else {
      if (answered !== '') await exchange();
      asked += `${line.slice(2)}\r\n`;
    }
  }
  await exchange();
});

const rows = /<!-- dialects -->\n([\s\S]*)<!-- \/dialects -->/
  .exec(page)![1]!
  .trim()
  .split('\n')
  .map((row) => row.split('|').slice(1, -1));
const dialects = ['memcached', 'starling', 'kestrel'] as const;

test('the table of dialects names them', () => {
  expect(rows[0]!.map((cell) => cell.trim())).toEqual(['command', ...dialects]);
});

describe.each(dialects)('in the dialect of %s', (dialect) => {
  const column = 1 + dialects.indexOf(dialect);
  const code = /`([^`]+)`/g;
  const cases = rows
    .slice(2)
    .flatMap((row) => [...row[0]!.matchAll(code)].map((match) => [match[1]!, row[column]!] as const));

  test.each(cases)('%s', async (command, cell) => {
    const client = server({ dialect }).connect();
    await fill(client, 'q', 'a');
    const reply = [...cell.matchAll(code)].map((match) => `${match[1]}\r\n`).join('');
    expect(await client.ask(`${command}\r\n`)).toBe(reply);
    expect(client.ended).toBe(cell.includes('✕'));
  });
});
