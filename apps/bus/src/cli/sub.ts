import { createOutput, type Output } from '@rookery/service';
import type { Bus, Group, SessionEvent, StateChange } from '../client/index.ts';
import { explained, openBus, type Target } from './connection.ts';
import { eventJson, eventLine, messageLine } from './describe-event.ts';

export interface SubOptions {
  readonly members: boolean;
  readonly json: boolean;
  /** Messages after which it ends. */
  readonly count: number | undefined;
  readonly name: string | undefined;
}

/** How long the goodbyes may take when it ends. */
const LEAVE_MS = 1000;

/** Prints what comes to the groups until `signal`, until nobody reads, or until enough has come. */
export async function sub(
  target: Target,
  groups: readonly string[],
  options: SubOptions,
  signal: AbortSignal,
): Promise<void> {
  const { name, members: membership } = options;
  const bus = await openBus(target, signal, {
    membership,
    settings: { closeMs: LEAVE_MS },
    onState: createStateTeller(),
    ...(name === undefined ? {} : { name }),
  });
  const output = createOutput(process.stdout, signal);
  const joined: Group[] = [];
  const leave = async (): Promise<void> => {
    // Left and not only gone, so that the others see who left and not who was lost.
    for (const group of joined) group.leave().catch(() => undefined);
    await bus.close();
  };
  // Ends the reading too.
  output.ended.addEventListener('abort', () => void leave(), { once: true });
  const names = new Set(groups);
  try {
    const events = bus[Symbol.asyncIterator]();
    joined.push(...(await Promise.all([...names].map((group) => bus.join(group)))));
    tellReady(bus, names, options, output);
    await print(events, names, options, output);
    await output.flush();
  } catch (error) {
    if (!output.ended.aborted) throw explained(error);
  } finally {
    await leave();
  }
}

async function print(
  events: AsyncIterator<SessionEvent, undefined>,
  groups: ReadonlySet<string>,
  { json, count = Number.POSITIVE_INFINITY }: SubOptions,
  output: Output,
): Promise<void> {
  const terminal = process.stdout.isTTY === true;
  let messages = 0;
  // hot: once per event. What isn't read here waits at the daemon, where the group's policy decides.
  while (messages < count && !output.ended.aborted) {
    const { value: event, done } = await events.next();
    if (done || output.ended.aborted) return;
    if (event.kind === 'left') continue;
    if (event.kind === 'message') messages++;
    let wait: Promise<void> | undefined;
    if (json) wait = output.write(eventJson(event, groups, new Date()));
    else if (event.kind === 'message') wait = output.write(messageLine(event.data, terminal));
    else if (event.kind === 'view' || event.kind === 'transition') wait = output.write(eventLine(event));
    else process.stderr.write(eventLine(event));
    if (wait !== undefined) await wait;
  }
}

function tellReady(bus: Bus, groups: ReadonlySet<string>, { json }: SubOptions, output: Output): void {
  const { session } = bus;
  if (json) {
    const ready = { event: 'ready', time: new Date().toISOString(), session, groups: [...groups] };
    void output.write(`${JSON.stringify(ready)}\n`);
  } else if (process.stderr.isTTY) {
    process.stderr.write(`Reading ${[...groups].join(' ')} as ${session}; Ctrl-C ends it.\n`);
  }
}

/** Says once that a connection broke, and once that it is there again. */
function createStateTeller(): (change: StateChange) => void {
  let state: 'first' | 'connected' | 'broken' = 'first';
  return (change) => {
    if (change.state === 'connected') {
      if (state === 'broken') process.stderr.write('* connected again\n');
      state = 'connected';
    } else if (change.state === 'connecting' && state === 'connected') {
      process.stderr.write('* the connection broke; trying again until it is back or Ctrl-C\n');
      state = 'broken';
    }
  };
}
