import { PassThrough } from 'node:stream';
import { beforeAll, expect, test } from 'vitest';
import { readLines } from '../../src/host/lines.ts';
import { LINE_BYTES_MAX, PROTOCOL, type StepName, type ToHost } from '../../src/host/protocol.ts';
import type { Transport } from '../../src/hosts/transport.ts';
import { createDeployment } from '../../src/progress/deployment.ts';
import { renderFrame } from '../../src/progress/frame.ts';
import { progressLines } from '../../src/progress/lines.ts';
import type { PushEvent } from '../../src/push/events.ts';
import { push } from '../../src/push/push.ts';
import { createWorld, hostOf, settingsOf, type TestRelease, type World } from './world.ts';

const FETCHED = { fetchedBytes: 1, reusedBytes: 0, httpBytes: 0, peers: 1, seconds: 1, present: false };
const ANSWERS: { readonly [S in StepName]?: object } = {
  prepare: { status: { current: null, unfinished: null }, hasReleaseFile: true },
  fetch: FETCHED,
};

let world: World;
let release: TestRelease;

beforeAll(async () => {
  world = await createWorld();
  release = await world.release('1.0');
  return () => world[Symbol.asyncDispose]();
});

/** A host's side that does all that it is asked for, but for the step that it has a word of its own about. */
function talker(words: ReadonlyMap<string, Partial<Record<StepName, object>>>): Transport {
  return {
    name: 'local',
    async open({ name }) {
      const [input, output] = [new PassThrough(), new PassThrough()];
      const { promise: ended, resolve } = Promise.withResolvers<{ reason: string }>();
      const say = (line: object): void => void output.write(`${JSON.stringify(line)}\n`);
      void (async () => {
        for await (const line of readLines(input, LINE_BYTES_MAX)) {
          const message = JSON.parse(line) as ToHost;
          if ('hello' in message)
            say({ ready: PROTOCOL, version: '0', pid: 1, hostname: name, coordinatorAddress: null });
          if (!('step' in message)) continue;
          const { id, step } = message;
          say({ id, ...(words.get(name)?.[step] ?? { result: ANSWERS[step] ?? {} }) });
        }
        output.end();
        resolve({ reason: 'exit code 0' });
      })();
      return {
        input,
        output,
        ended,
        async kill() {
          input.end();
          output.end();
          resolve({ reason: 'SIGKILL' });
        },
      };
    },
  };
}

test.each<[string, Partial<Record<StepName, object>>]>([
  ['output that is no text', { prepare: { failed: { code: 'hook-failed', message: 'no', output: 5 } } }],
  ['a code that is no word', { prepare: { failed: { code: { a: 1 }, message: 'no' } } }],
  ['a code as long as a book', { prepare: { failed: { code: 'a'.repeat(900_000), message: 'no' } } }],
  ['a code that a terminal would obey', { prepare: { failed: { code: '\x1b[2J', message: 'no' } } }],
  ['no reason at all', { prepare: { failed: null } }],
  [
    'bytes that are no number',
    { fetch: { event: { event: 'progress', phase: 'fetching', doneBytes: {}, totalBytes: 'x', peers: [] } } },
  ],
  ['a check that is no text', { check: { event: { event: 'check', attempt: 1, ok: false, detail: 5 } } }],
  ['an event that is none', { fetch: { event: { event: 'done', hosts: 5 } } }],
  ['figures that are a book', { fetch: { result: { ...FETCHED, fetchedBytes: 'a'.repeat(900_000) } } }],
])('a host that says %s fails by it, and the push goes on', async (_, words) => {
  const deployment = createDeployment();
  const inLines = progressLines(() => undefined);
  const onEvent = (event: PushEvent): void => {
    deployment.handle(event, 0);
    inLines(event);
    renderFrame(deployment, 0, { columns: 80, rows: 24, color: false, unicode: true });
  };
  const { outcome, hosts } = await push({
    release: release.bytes,
    trust: [world.trust],
    trackers: world.trackers,
    hosts: ['liar', 'honest'].map((name) => hostOf(name, settingsOf(world.newRoot()))),
    maxFailures: { count: 1 },
    transports: { local: talker(new Map([['liar', words]])) },
    onEvent,
  });
  expect(outcome).toBe('partial');
  expect(hosts).toMatchObject([
    { host: 'liar', code: 'protocol' },
    { host: 'honest', state: 'done', code: null },
  ]);
});
