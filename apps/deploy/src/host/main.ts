import { runSession, type SessionOptions } from './session.ts';

// The host's side as a process of its own: whatever has started it is its coordinator, by stdin and stdout.

const controller = new AbortController();
const stop = (): void => controller.abort();
process.on('SIGTERM', stop).on('SIGINT', stop);
// The end of an ssh connection; stdin's end follows, and lets a step come to its own.
process.on('SIGHUP', () => undefined);

const { ROOKERY_HOST_SETTINGS: own, SSH_CLIENT: client } = process.env;
await runSession({
  input: process.stdin,
  output: process.stdout,
  signal: controller.signal,
  ...(own === undefined ? {} : { own: JSON.parse(own) as NonNullable<SessionOptions['own']> }),
  ...(client === undefined ? {} : { coordinatorAddress: client.split(' ')[0]! }),
});
process.exit(0);
