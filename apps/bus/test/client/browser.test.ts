import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { startInProcess } from '../in-process.ts';

/** No module of Node's may be loaded by the client, and what browsers don't have is taken away. */
const PROGRAM = `
import { registerHooks } from 'node:module';
const { exit } = process;
registerHooks({
  resolve(specifier, context, next) {
    const { url, format } = next(specifier, context);
    if (url.startsWith('node:')) throw new Error(context.parentURL + ' imports ' + specifier);
    return { url, format, shortCircuit: true };
  },
});
// Node's own WebSocket may use them.
for (const name of ['Buffer', 'process', 'setImmediate', 'global']) {
  const value = globalThis[name];
  Object.defineProperty(globalThis, name, {
    get: () => (/\\/src\\/(client|websocket|bus|spread)\\//.test(new Error().stack.split('\\n')[2]) ? undefined : value),
  });
}
const { connect } = await import('@rookery/bus/client');
const bus = await connect('ws://DAEMON', { name: 'tab' });
const group = await bus.join('g');
await group.multicast('from a browser', { key: 'ü' });
for await (const event of group) {
  if (event.kind !== 'message') continue;
  console.log(event.sender, event.key, event.text);
  break;
}
await bus.close();
exit(0);
`;

it('the client needs nothing that browsers don’t have', async () => {
  const { url } = await startInProcess();
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [
      '--conditions=@rookery/source',
      '--conditions=browser',
      '--input-type=module',
      '--eval',
      PROGRAM.replace('ws://DAEMON', url),
    ],
    { cwd: fileURLToPath(new URL('../..', import.meta.url)) },
  );
  expect(stdout).toBe('#tab#d1 ü from a browser\n');
});
