import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type Browser,
  browserAvailable,
  complaintsOf,
  freePort,
  launchBrowser,
  type Page,
  Random,
  type RunningProcess,
  startProcess,
  waitFor,
} from '@rookery/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { boardOfPush } from '../../src/page/board.ts';
import { serveBoards } from '../../src/page/server.ts';
import { createDeployment, type Deployment } from '../../src/progress/deployment.ts';
import type { TrackerPeer } from '../../src/swarm/tracker/tracker.ts';
import { createWorld, type TestRelease, type World } from '../rollout/world.ts';

const PROGRAM = fileURLToPath(new URL('../swarm/program.ts', import.meta.url));
const SLOW = 180_000;
/** Where pictures go, to be looked at; without it, none are taken. */
const PICTURES = process.env.ROOKERY_TEST_PICTURES;

async function picture(page: Page, name: string): Promise<void> {
  if (PICTURES !== undefined) await page.screenshot({ path: join(PICTURES, `${name}.png`), fullPage: true });
}

/** A push that has ended serves its page no more; a connection may have been made and not yet been answered then. */
const GONE = /ERR_CONNECTION_(REFUSED|RESET|CLOSED)|ERR_INCOMPLETE|ERR_EMPTY_RESPONSE/;

describe.skipIf(!browserAvailable())('the page, in chromium', { timeout: SLOW }, () => {
  let browser: Browser;
  let world: World;
  let one: TestRelease;
  let bad: TestRelease;

  beforeAll(async () => {
    browser = await launchBrowser();
    world = await createWorld();
    const blob = Buffer.alloc(8 * 2 ** 20);
    for (let at = 0; at < blob.length; at += 4) blob.writeUInt32LE((at * 2_654_435_761) % 2 ** 32, at);
    one = await world.release('1.0', { 'blob.bin': blob });
    bad = await world.release('2.0-bad');
  }, SLOW);

  afterAll(async () => {
    await browser?.close();
    await world?.[Symbol.asyncDispose]();
  });

  async function inventory(count: number, hooks = ''): Promise<string> {
    const folder = world.at('page-hosts');
    await mkdir(folder, { recursive: true });
    const file = join(folder, 'hosts.toml');
    const hosts = Array.from(
      { length: count },
      (_, index) => `[hosts.web${index + 1}]\nroot = "${join(folder, `web${index + 1}`)}"\n`,
    );
    await writeFile(
      file,
      `[defaults.hooks]\nstarted = "sleep 0.2"\n${hooks}\n[defaults.check]\ncommand = "! grep -q bad version.txt || { echo '<b>500</b>'; exit 1; }"\ninterval_ms = 20\nwithin_ms = 200\n${hosts.join('')}`,
    );
    return file;
  }

  async function startPush(release: TestRelease, hosts: string, ...more: string[]): Promise<RunningProcess> {
    const what = ['push', release.file, '--tree', release.tree, '--trust', world.trustFile, '--hosts', hosts];
    return startProcess({
      command: process.execPath,
      args: ['--conditions=@rookery/source', PROGRAM, ...what, '--json', ...more],
      readyPattern: /"event":"ui","url":"([^"]+)"/,
      readyWithinMs: 60_000,
    });
  }

  test('a push to twelve hosts fills the grid, wave by wave; a bad release is seen to go back', async () => {
    const go = world.at('go');
    // Nothing is fetched before the page is there to see it.
    const slow = await inventory(
      12,
      `published = "sleep 2"\nstarting = "while [ ! -e ${go} ]; do sleep 0.05; done"`,
    );
    const port = await freePort();
    const ui = ['--ui', `127.0.0.1:${port}`, '--wave', '1,4,12'];
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    const wrong = complaintsOf(page, GONE);
    {
      await using pushing = await startPush(one, slow, ...ui);
      await page.goto(pushing.ready![1]!);
      await page.locator('.cell').first().waitFor();
      await writeFile(go, '');
      await page.locator('.cell[data-state=fetching]').first().waitFor({ timeout: 60_000 });
      await picture(page, 'fetching');
      await page.locator('.cell[data-state=healthy]').first().waitFor({ timeout: 60_000 });
      expect(await page.locator('.cell').count()).toBe(12);
      await page.locator('.cell[data-host=web5]').click();
      expect(await page.locator('#details h3').textContent()).toBe('web5');
      // From web5 to web6, by the keyboard.
      await page.keyboard.press('ArrowRight');
      expect(await page.evaluate(() => document.activeElement?.getAttribute('aria-label'))).toMatch(
        /^web6: /,
      );
      await picture(page, 'mid-way');
      // Somebody looks at another tab while it ends.
      await page.evaluate(() => {
        Object.defineProperty(document, 'hidden', { get: () => true });
        document.dispatchEvent(new Event('visibilitychange'));
      });
      expect(await pushing.waitForExit(SLOW)).toMatchObject({ code: 0 });
      await page.locator('#banner[data-tone=good]').waitFor();
      expect(await page.locator('#banner').textContent()).toMatch(/✓ Deployed: every host runs it/);
      expect(await page.locator('#connection').textContent()).toMatch(/the push has ended/);
      expect(await page.locator('.cell[data-state=done]').count()).toBe(12);
      expect(await page.locator('#waves li').allTextContents()).toEqual([
        '✓ Wave 1 · 1 host',
        '✓ Wave 2 · 3 hosts',
        '✓ Wave 3 · 8 hosts',
      ]);
      expect(await page.title()).toBe('✓ shop 1.0 12/12 – Rookery deploy');
      await picture(page, 'deployed');
    }
    const quick = await inventory(12);
    await using pushing = await startPush(bad, quick, ...ui, '--wave', '2,12');
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.goto(pushing.ready![1]!);
    expect(await pushing.waitForExit(SLOW)).toMatchObject({ code: 1 });
    await page.locator('#banner[data-tone=bad]').waitFor();
    expect(await page.locator('#banner').textContent()).toMatch(
      /← Not deployed: every host that was switched runs again/,
    );
    await waitFor(async () => (await page.locator('#failed tr').count()) === 2, { what: 'both failures' });
    expect(await page.locator('#failed').textContent()).toContain('check-failed: ');
    // What hosts say is text, whatever they say.
    expect(await page.locator('#failed').textContent()).toContain('<b>500</b>');
    expect(await page.locator('#failed b').count()).toBe(0);
    await page.locator('.cell[data-host=web1]').click();
    await picture(page, 'rolled-back-dark');
    {
      await using killed = await startPush(one, slow, ...ui, '--wave', '2,12');
      await page.goto(killed.ready![1]!);
      await page.locator('.cell').first().waitFor();
      killed.kill('SIGKILL');
      await page.getByText('the push is gone, and this is how it stood').waitFor();
      expect(await page.locator('.cell').count()).toBe(12);
    }
    expect(wrong).toEqual([]);
    await page.close();
  });

  test('a thousand hosts: squares that fill, one look for those that failed, and frames in time', async () => {
    const deployment = createDeployment();
    const { hosts, peers } = thousand(deployment);
    await using server = await serveBoards({
      host: '127.0.0.1',
      port: 0,
      boards: () => [boardOfPush(deployment, peers, performance.now())!],
    });
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    const wrong = complaintsOf(page, GONE);
    await page.goto(server.url);
    await page.locator('#grid.dense').waitFor();
    expect(await page.locator('.cell').count()).toBe(1000);
    expect(await page.locator('#links').getAttribute('aria-label')).toBe('4,500 links between 1,001 peers');
    expect(await page.locator('#failed tr').count()).toBe(3);
    await page.locator('.cell[data-host=web0700]').focus();
    await page.keyboard.press('End');
    await page.keyboard.press('Enter');
    expect(await page.locator('#details h3').textContent()).toBe('web1000');
    await picture(page, 'thousand');
    for (const [index, host] of hosts.entries()) {
      deployment.handle({ event: 'host', host, state: 'done' }, performance.now());
      if (index % 50 === 0) server.changed();
    }
    server.changed();
    await page.locator('.cell[data-state=done]').nth(999).waitFor();
    const drawsMs = await page.evaluate(async () => {
      const draws: number[] = [];
      for (let draw = 0; draw < 5; draw++) {
        const began = performance.now();
        dispatchEvent(new Event('resize'));
        draws.push(performance.now() - began);
      }
      return draws;
    });
    // Four of them a second are drawn. A machine that does other things, too, may stop in one of them.
    expect(Math.min(...drawsMs)).toBeLessThan(250);
    expect(wrong).toEqual([]);
    await page.close();
  });

  test('beyond loopback it asks for the token, and shows nothing without it', async () => {
    const token = 'hunter2-hunter2-hunter2';
    const deployment = createDeployment();
    thousand(deployment, 12);
    await using server = await serveBoards({
      host: '0.0.0.0',
      port: 0,
      token,
      boards: () => [boardOfPush(deployment, [], performance.now())!],
    });
    const url = server.url.replace('0.0.0.0', '127.0.0.1');
    expect((await fetch(`${url}boards`)).status).toBe(401);
    const page = await browser.newPage();
    await page.goto(url);
    await page.locator('#token').fill('wrong-wrong-wrong-wrong');
    await page.keyboard.press('Enter');
    await waitFor(async () => /wrong/.test((await page.locator('#connection').textContent()) ?? ''), {
      what: 'the refusal',
    });
    expect(await page.locator('.cell').count()).toBe(0);
    await page.locator('#token').fill(token);
    await page.keyboard.press('Enter');
    await page.locator('.cell').nth(11).waitFor();
    await page.close();
    const other = await browser.newPage();
    await other.goto(`${url}#token=${token}`);
    await other.locator('.cell').nth(11).waitFor();
    expect(other.url()).toBe(url);
    await other.close();
  });

  test('a tracker shows its swarms: who has how much, and who is joined with whom', async () => {
    const [port, ui] = [await freePort(), await freePort()];
    await using tracker = await startProcess({
      command: process.execPath,
      args: [
        '--conditions=@rookery/source',
        PROGRAM,
        ...['tracker', '--listen', `127.0.0.1:${port}`, '--ui', `127.0.0.1:${ui}`],
      ],
      readyPattern: /Its page: (\S+)\n.*listens/,
    });
    const announce = (swarm: string, peer: number, more: string): Promise<Response> => {
      const id = `-XX0000-${String(peer).padStart(12, '0')}`;
      const hash = swarm.repeat(20);
      return fetch(
        `http://127.0.0.1:${port}/announce?info_hash=${hash}&peer_id=${id}&port=${7000 + peer}&compact=1&${more}`,
      );
    };
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    const wrong = complaintsOf(page, GONE);
    await page.goto(tracker.ready![1]!);
    await page.getByText('Nothing to see yet').waitFor();
    await announce('a', 1, 'left=0&origin=1&uploaded=5000000&downloaded=0');
    await announce('a', 2, 'left=0&uploaded=0&downloaded=9000000&host=web1');
    await announce('a', 3, 'left=3000000&uploaded=0&downloaded=6000000&host=%3Cb%3Eweb2');
    await page.locator('.cell').nth(2).waitFor();
    const labels = await page
      .locator('.cell')
      .evaluateAll((cells) => cells.map((cell) => cell.getAttribute('aria-label')));
    expect(labels).toEqual([
      '127.0.0.1:7001: origin, origin',
      'web1: fetched, fetched',
      '<b>web2: fetching, 66 %',
    ]);
    expect(await page.locator('#links').getAttribute('aria-label')).toBe('2 links between 3 peers');
    await announce('b', 4, 'left=5&uploaded=0&downloaded=0');
    await page.locator('#boards button').nth(1).click();
    await waitFor(async () => (await page.locator('.cell').count()) === 1, { what: 'the other swarm' });
    await picture(page, 'tracker');
    expect(wrong).toEqual([]);
    await page.close();
    tracker.kill('SIGTERM');
    expect(await tracker.waitForExit()).toMatchObject({ code: 143 });
  });
});

/** A push to so many hosts in all kinds of states, and its swarm. */
function thousand(deployment: Deployment, count = 1000): { hosts: string[]; peers: TrackerPeer[] } {
  const hosts = Array.from({ length: count }, (_, index) => `web${String(index + 1).padStart(4, '0')}`);
  const total = 100 * 2 ** 20;
  const now = performance.now();
  const place = { transport: 'ssh', address: '', rack: null, groups: [], tags: [] };
  deployment.handle(
    {
      event: 'push',
      deployment: 'd',
      by: 'ann@laptop',
      app: 'shop',
      version: '1.4.2',
      release_id: 'id',
      name: '1.4.2',
      commit: null,
      hosts: hosts.map((host) => ({ host, ...place })),
      waves: [1, count / 10, count],
      max_failures: '10%',
      tree_bytes: total,
      payload_bytes: total,
      time: '2026-01-01T10:00:00.000Z',
    },
    now,
  );
  deployment.handle({ event: 'wave', wave: 1, waves: 3, state: 'healthy', hosts: [] }, now);
  deployment.handle({ event: 'wave', wave: 2, waves: 3, state: 'started', hosts: [] }, now);
  const random = new Random(4);
  for (const [index, host] of hosts.entries()) {
    const state = index < count / 20 ? 'healthy' : index < count / 10 ? 'switching' : 'fetching';
    deployment.handle({ event: 'host', host, state }, now);
    if (state !== 'fetching') continue;
    const done = Math.min(total, Math.floor((random.float() + 0.25) * total));
    const progress = { phase: 'fetching', total_bytes: total, peers: 9 };
    deployment.handle({ event: 'progress', host, done_bytes: done, ...progress }, now);
    if (index % 300 === 123) {
      const failure = { step: 'fetch', code: 'disk-full', message: 'No space left on device' } as const;
      deployment.handle({ event: 'host', host, state: 'failed', ...failure }, now);
    }
  }
  const peers = ['origin', ...hosts].map(
    (name, index): TrackerPeer => ({
      name: index === 0 ? undefined : name,
      address: `10.0.0.1:${7000 + index}`,
      rack: undefined,
      origin: index === 0,
      complete: index === 0,
      missingBytes: 0,
      fetchedBytes: 0,
      sentBytes: 0,
      links: [],
    }),
  );
  const links = peers.map((): number[] => []);
  for (let made = 0; made < count * 4.5; ) {
    const [one, other] = [random.below(peers.length), random.below(peers.length)];
    if (one === other || links[one]!.includes(other)) continue;
    links[one]!.push(other);
    links[other]!.push(one);
    made++;
  }
  return { hosts, peers: peers.map((peer, index) => ({ ...peer, links: links[index]! })) };
}
