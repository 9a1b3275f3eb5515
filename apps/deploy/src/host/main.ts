import { runSession, type SessionOptions } from './session.ts';

// The host's side as a process of its own: whatever has started it is its coordinator, by stdin and stdout.

const controller = new AbortController();
const stop = (): void => controller.abort();
process.on('SIGTERM', stop).on('SIGINT', stop);
// The end of an ssh connection; stdin's end follows, and lets a step come to its own.
process.on('SIGHUP', () => undefined);

const { ROOKERY_HOST_SETTINGS: own, ROOKERY_COORDINATOR: address, SSH_CLIENT: client } = process.env;
// Hooks have no use for them.
delete process.env.ROOKERY_HOST_SETTINGS;
delete process.env.ROOKERY_COORDINATOR;
const coordinatorAddress = address ?? client?.split(' ')[0];
await runSession({
  input: process.stdin,
  output: process.stdout,
  signal: controller.signal,
  ...(own === undefined ? {} : { own: JSON.parse(own) as NonNullable<SessionOptions['own']> }),
  ...(coordinatorAddress === undefined ? {} : { coordinatorAddress }),
});
process.exit(0);
