import { type Browser, browserAvailable, complaintsOf, launchBrowser, type Page } from '@rookery/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startInProcess, startInProcessRing } from '../in-process.ts';

// Debian's chromium opens the page as a user's browser does.

describe.skipIf(!browserAvailable())('the page', { timeout: 60_000 }, () => {
  let browser: Browser;
  let page: Page;
  let problems: readonly string[];
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser.close());

  beforeEach(async () => {
    page = await browser.newPage();
    page.setDefaultTimeout(30_000);
    problems = complaintsOf(page, /401 \(Unauthorized\)/);
  });
  afterEach(async () => {
    await page.close();
    expect(problems).toEqual([]);
  });

  test('shows the ring, and who is not in it any more', async () => {
    const [first, , third] = await startInProcessRing(3);
    await page.goto(first!.adminUrl);
    await page.getByRole('heading', { name: 'Daemon d1' }).waitFor();
    await page.locator('#circle').getByText('3 daemons').waitFor();
    const daemon = (name: string) => page.locator('#daemons tr', { hasText: name });
    await daemon('d1').getByText('● this one').waitFor();
    await daemon('d3').getByText('✓ in the ring').waitFor();
    await third!.daemon.stop();
    await page.locator('#circle').getByText('2 daemons').waitFor();
    await daemon('d3').getByText('✗ not in the ring').waitFor();
    expect(await page.locator('#circle .stranger text').allTextContents()).toEqual(['✗', 'd3']);
  });

  test('shows groups with their members, and events as they come, some of many', async () => {
    const [here, there] = await startInProcessRing(2, { durable: { 'web.*': {} } });
    const alice = await here!.webSocket('alice');
    await alice.enter('web.access');
    // Nobody at this daemon is in the other's group: its events are seen all the same.
    const bob = await there!.webSocket('bob');
    await bob.enter('chat');
    await page.goto(here!.adminUrl);
    const group = (name: string) => page.locator('#groups tbody tr', { hasText: name });
    await group('chat').waitFor();
    await page.locator('#sessions tbody tr', { hasText: '#alice#d1' }).waitFor();
    alice.send('web.access', 'kept');
    await group('web.access').locator('td').nth(4).getByText('1', { exact: true }).waitFor();

    await group('chat').getByRole('link').click();
    await page.locator('#members').getByText('#bob#d2').waitFor();
    await page.getByText('none yet').waitFor();
    bob.send('chat', 'hello', { key: 'greeting' });
    const event = page.locator('#events li', { hasText: 'hello' });
    await event.getByText('#bob#d2').waitFor();
    await event.getByText('key greeting').waitFor();
    for (let n = 0; n < 500; n++) bob.send('chat', `number ${n}`);
    await page.getByText(/^\d+ of 501 shown$/).waitFor();
    const shown = await page.locator('#events li').count();
    expect(shown).toBeGreaterThan(1);
    expect(shown).toBeLessThan(200);
    await page.getByRole('button', { name: 'Hold' }).click();
    bob.send('chat', 'not shown');
    await page.getByText(/of 502 shown$/).waitFor();
    expect(await page.getByText('not shown').count()).toBe(0);
  });

  test('shows how many messages a listener was too slow for', async () => {
    const bus = await startInProcess({
      outboxBytes: 256 * 1024,
      slowTimeoutMs: 60_000,
      groups: { feed: { slowPolicy: 'drop-oldest' } },
    });
    const slow = await bus.webSocket({ name: 'slow', membership: false });
    await slow.enter('feed');
    const sender = await bus.webSocket({ name: 'sender', membership: false });
    await page.goto(bus.adminUrl);
    const dropped = page.locator('#sessions tbody tr', { hasText: '#slow#d1' }).locator('td').nth(6);
    await dropped.getByText('0', { exact: true }).waitFor();
    slow.ws.pause();
    for (let n = 0; n < 512; n++) {
      sender.send('feed', Buffer.alloc(64 * 1024));
      if (n % 16 === 15) await new Promise((resolve) => setImmediate(resolve));
    }
    slow.ws.resume();
    await dropped.getByText(/^[1-9]/).waitFor();
  });

  test('shows names, keys and data that are markup as what they are: text', async () => {
    const bus = await startInProcess();
    const group = '<img/src=x/onerror=alert(1)>';
    const markup = '</script><script>alert(2)</script><b>bold</b>';
    const client = await bus.webSocket('mallory');
    await client.enter(group);
    await page.goto(bus.adminUrl);
    await page.locator('#groups tbody').getByText(group).click();
    await page.getByRole('heading', { name: group }).waitFor();
    await page.getByText('none yet').waitFor();
    client.send(group, markup, { key: markup });
    await page.locator('#events pre', { hasText: markup }).waitFor();
    await page.locator('#events .about', { hasText: `key ${markup}` }).waitFor();
    expect(await page.locator('main img, #events b, main script').count()).toBe(0);
  });

  test('asks for the token where one is needed', async () => {
    const bus = await startInProcess({ adminToken: 'right-horse' });
    await page.goto(bus.adminUrl);
    await page.getByText('a token is needed').waitFor();
    expect(await page.getByRole('heading', { name: 'Daemon d1' }).count()).toBe(0);
    await page.getByLabel('This page needs the admin token').fill('right-horse');
    await page.locator('#token-form button').click();
    await page.getByRole('heading', { name: 'Daemon d1' }).waitFor();
  });
});
