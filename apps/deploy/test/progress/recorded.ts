import { readFileSync } from 'node:fs';
import { createDeployment, type Deployment } from '../../src/progress/deployment.ts';
import type { PushEvent } from '../../src/push/events.ts';

/** An event, and when it came, in milliseconds from the first. */
export type Recorded = PushEvent & { readonly at: number };

/** What `push --json` has written: eight local hosts, web3 fails at a hook; `bad` is a release that is rolled back. */
export function recorded(name: 'good' | 'bad'): Recorded[] {
  const text = readFileSync(new URL(`./${name}.ndjson`, import.meta.url), 'utf8');
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Recorded);
}

/** The push as it stood after the last event that fits. */
export function deploymentAt(
  events: readonly Recorded[],
  last: (event: Recorded) => boolean,
): { readonly deployment: Deployment; readonly now: number } {
  const deployment = createDeployment();
  const index = events.findLastIndex(last);
  for (const event of events.slice(0, index + 1)) deployment.handle(event, event.at);
  return { deployment, now: events[index]!.at };
}
