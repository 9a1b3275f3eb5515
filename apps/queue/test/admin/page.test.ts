import {
  type Browser,
  browserAvailable,
  complaintsOf,
  freePort,
  launchBrowser,
  type Page,
  type TemporaryFolder,
  temporaryFolder,
  waitFor,
} from '@rookery/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { QueueServer, type QueueServerOptions } from '../../src/index.ts';
import { connectText } from '../text-client.ts';

// Debian's chromium opens the page as a user's browser does.

let folder: TemporaryFolder;
let server: QueueServer;
let page: Page;
let problems: readonly string[];

async function open(settings: QueueServerOptions['settings'] = {}, fragment = ''): Promise<void> {
  server = new QueueServer({
    settings: { port: 0, adminPort: 0, data: folder.path, sync: 'never', ...settings },
  });
  await server.start();
  await page.goto(`${server.adminUrl}/${fragment}`);
}

async function put(messages: Readonly<Record<string, readonly string[]>>): Promise<void> {
  const client = await connectText(server.address!.port);
  for (const [name, bodies] of Object.entries(messages)) {
    for (const body of bodies) {
      const sent = Buffer.from(body).toString('latin1');
      expect(await client.line(`set ${name} 0 0 ${sent.length}\r\n${sent}\r\n`)).toBe('STORED');
    }
  }
  client.destroy();
}

const depthOf = async (name: string): Promise<number> => {
  const response = await fetch(`${server.adminUrl}/queues/${encodeURIComponent(name)}`);
  return ((await response.json()) as { messages: number }).messages;
};

/** A row of the table, as it reads. */
const row = (name: string) => page.locator('#rows tbody tr', { hasText: name });
const rowNames = (): Promise<string[]> => page.locator('#rows tbody td:first-child a').allTextContents();

describe.skipIf(!browserAvailable())('the page', { timeout: 60_000 }, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser.close());

  beforeEach(async () => {
    folder = await temporaryFolder();
    page = await browser.newPage();
    page.setDefaultTimeout(30_000);
    problems = complaintsOf(page, /401 \(Unauthorized\)/);
  });
  afterEach(async () => {
    await page.close();
    await server.stop();
    await folder.remove();
    expect(problems).toEqual([]);
  });

  test('shows queues and how fast they go, largest first, and others by a click on a head', async () => {
    await open();
    await put({ few: ['1'], many: ['1', '2', '3'], none: [] });
    await row('many').waitFor();
    await waitFor(async () => (await rowNames()).join() === 'many,few', {
      what: 'two queues, the larger first',
    });
    await row('many').getByText('3', { exact: true }).first().waitFor();
    await page.getByRole('button', { name: 'Queue' }).click();
    await waitFor(async () => (await rowNames()).join() === 'few,many', { what: 'by name' });
    expect(await page.locator('#rows th[aria-sort]').getAttribute('aria-sort')).toBe('ascending');
    await page.getByLabel('Find').fill('FE');
    await waitFor(async () => (await rowNames()).join() === 'few', { what: 'what was looked for' });
    // In and out of a second in which both happened.
    const client = await connectText(server.address!.port);
    let stopped = false;
    const busy = (async () => {
      while (!stopped) await client.line('set few 0 0 1\r\nx\r\n');
    })();
    const putsPerSecond = async (): Promise<number> =>
      Number((await row('few').locator('td').nth(2).textContent())!.replace(/[,k.]/g, ''));
    await waitFor(async () => (await putsPerSecond()) > 10, { what: 'a rate of puts' });
    stopped = true;
    await busy;
    client.destroy();
    expect(await page.getByRole('img', { name: /^Messages a second: in [\d.,k]+, out/ }).count()).toBe(1);
  });

  test('of ten thousand queues shows a page at a time, and finds one', async () => {
    await open();
    const client = await connectText(server.address!.port);
    const names = Array.from({ length: 10_000 }, (_, number) => `queue.${number}`);
    await Promise.all(names.map((name) => client.line(`set ${name} 0 0 1\r\nx\r\n`)));
    client.destroy();
    await page.getByText('10,000 queues, 1 to 25 shown').waitFor();
    await page.getByRole('button', { name: 'Next' }).click();
    await page.getByText('10,000 queues, 26 to 50 shown').waitFor();
    expect(await rowNames()).toHaveLength(25);
    await page.getByLabel('Find').fill('.7777');
    await page.getByText('1 of 10,000 queues, 1 to 1 shown').waitFor();
    expect(await rowNames()).toEqual(['queue.7777']);
  });

  test('shows what messages hold as text, JSON or bytes, and what became of them', async () => {
    await open({ queues: { work: { maxDeliveries: 5 } } });
    const long = JSON.stringify({ user: 'ada', tags: Array.from({ length: 30 }, (_, tag) => `tag ${tag}`) });
    await put({ work: ['plain text', long, '\x00\x01zz'] });
    await row('work').getByRole('link').click();
    await page.getByRole('heading', { name: 'work' }).waitFor();
    const bodies = page.locator('#messages pre');
    await waitFor(async () => (await bodies.count()) === 3, { what: 'the messages' });
    const texts = (await bodies.allTextContents()).join('\n');
    expect(texts).toContain('plain text');
    expect(texts).toContain('"user": "ada",\n');
    expect(texts).toContain('000000  00 01 7a 7a');
    await page.getByLabel('Show as').selectOption('hex');
    expect((await bodies.allTextContents()).join('\n')).toContain('70 6c 61 69 6e 20 74 65 78 74');
    // It was looked at only.
    expect(await depthOf('work')).toBe(3);
  });

  test('pauses and goes on by a click', async () => {
    await open();
    await put({ work: ['1'] });
    await row('work').getByRole('link').click();
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByText('Paused: puts go on, reads find nothing.').waitFor();
    await page.locator('#paused').waitFor();
    const client = await connectText(server.address!.port);
    expect(await client.values('get work\r\n')).toEqual([]);
    await page.getByRole('button', { name: 'Resume' }).click();
    await page.getByText('Reads go on.').waitFor();
    expect(await client.values('get work\r\n')).toMatchObject([{ body: '1' }]);
    client.destroy();
  });

  test('flushes a queue when its name was written, and no other', async () => {
    await open();
    await put({ work: ['1', '2'], other: ['3'] });
    await row('work').getByRole('link').click();
    await page.getByRole('button', { name: 'Flush…' }).click();
    const go = page.getByRole('dialog').getByRole('button', { name: 'Flush' });
    expect(await go.isDisabled()).toBe(true);
    await page.getByRole('dialog').getByRole('textbox').fill('wor');
    expect(await go.isDisabled()).toBe(true);
    await page.getByRole('dialog').getByRole('textbox').fill('work');
    await go.click();
    await page.getByText('Flushed: 2 messages dropped.').waitFor();
    expect([await depthOf('work'), await depthOf('other')]).toEqual([0, 1]);
  });

  test('brings dead letters back by a click', async () => {
    await open({ queues: { work: { maxDeliveries: 1, deadLetterQueue: 'dead' } } });
    await put({ work: ['poison'] });
    const client = await connectText(server.address!.port);
    expect(await client.values('get work/open\r\n')).toMatchObject([{ body: 'poison' }]);
    expect(await client.values('get work/abort\r\n')).toEqual([]);
    client.destroy();
    await row('dead').getByRole('link').click();
    await page.getByText('dead letter of work').waitFor();
    await page.getByRole('button', { name: 'Redrive…' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Redrive' }).click();
    await page.getByText('1 message moved.').waitFor();
    expect([await depthOf('work'), await depthOf('dead')]).toEqual([1, 0]);
  });

  test('shows names and bodies that are markup as what they are: text', async () => {
    await open();
    const markup = '<img/src=x/onerror=alert(1)>';
    const script = '</script><script>alert(2)</script><b>bold</b>';
    await put({ [markup]: [script] });
    await row(markup).getByRole('link').click();
    await page.getByRole('heading', { name: markup }).waitFor();
    await page.getByText(script).waitFor();
    expect(await page.locator('main img, main b:not(.key b), main script').count()).toBe(0);
    await page.getByRole('button', { name: 'Flush…' }).click();
    expect(await page.getByRole('dialog').getByRole('heading').textContent()).toBe(`Flush ${markup}?`);
  });

  test('asks for the token where one is needed, again after a wrong one, and keeps it out of the address', async () => {
    await open({ adminToken: 'right-horse' });
    await put({ work: ['1'] });
    const token = page.getByLabel('This page needs the admin token');
    await page.getByText('a token is needed').waitFor();
    await token.fill('wrong');
    await page.locator('#token-form button').click();
    await page.getByText('the token is wrong').waitFor();
    expect(await row('work').count()).toBe(0);
    await token.fill('right-horse');
    await page.locator('#token-form button').click();
    await row('work').waitFor();
    expect(page.url()).not.toContain('horse');
    expect(await page.context().cookies()).toEqual([]);
    // A write carries it too, and the page that is loaded again still has it.
    await page.reload();
    await row('work').getByRole('link').click();
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByText('Paused: puts go on').waitFor();
  });

  test('comes back by itself when the server does', async () => {
    const adminPort = await freePort();
    await open({ adminPort });
    await put({ work: ['1'] });
    await row('work').waitFor();
    await server.stop();
    await page.getByText(/trying again/).waitFor();
    server = new QueueServer({ settings: { port: 0, adminPort, data: folder.path, sync: 'never' } });
    await server.start();
    await page.getByText('live').waitFor();
    await row('work').waitFor();
    // Also of a connection that was made and not yet answered.
    const gone = /ERR_CONNECTION_(REFUSED|RESET|CLOSED)|ERR_INCOMPLETE_CHUNKED|ERR_EMPTY_RESPONSE/;
    problems = problems.filter((problem) => !gone.test(problem));
  });
});
