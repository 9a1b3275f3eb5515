import { existsSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';

export type { Browser, Page } from 'playwright-core';

const CHROMIUM = '/usr/bin/chromium';

/**
 * Whether Debian's chromium is here, for `describe.skipIf(!browserAvailable())`. When it isn't, that goes to stderr; with
 * `ROOKERY_TEST_REQUIRE_CLIENTS=1`, as CI has it, it is thrown and the test file fails.
 */
export function browserAvailable(): boolean {
  if (existsSync(CHROMIUM)) return true;
  const whyNot = `no browser: Debian's package chromium has ${CHROMIUM}`;
  if (process.env.ROOKERY_TEST_REQUIRE_CLIENTS === '1') throw new Error(whyNot);
  process.stderr.write(`${whyNot}\n`);
  return false;
}

/**
 * Fills with what the page complains of, which should be nothing: errors, dialogs, and what stands red in the console,
 * but for what `expected` matches.
 */
export function complaintsOf(page: Page, expected: RegExp): readonly string[] {
  const seen: string[] = [];
  page.on('pageerror', (error) => seen.push(String(error)));
  page.on('dialog', (dialog) => {
    seen.push(dialog.message());
    void dialog.dismiss();
  });
  page.on('console', (message) => {
    if (message.type() === 'error' && !expected.test(message.text())) seen.push(message.text());
  });
  return seen;
}

/** A real browser without a screen; close it, or it outlives the test. */
export function launchBrowser(): Promise<Browser> {
  // Root of a container may not make the namespaces that the sandbox is made of.
  return chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });
}
