import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { connect, type TLSSocket } from 'node:tls';
import { createIdentity, type Identity, peerKey } from '../../agent/identity.ts';
import { HostError } from '../../host/errors.ts';
import { KILL_LINE } from '../../host/protocol.ts';
import type { Host } from '../../inventory/host.ts';
import type { SigningKey } from '../../release/keys.ts';
import { throwIfGivenUp } from '../given-up.ts';
import type { HostStream, Transport } from '../transport.ts';
import { defaultKnownAgents, type KnownAgents, knownAgents } from './known-agents.ts';

export interface AgentTransportOptions {
  /** The coordinator's own, from keygen: agents obey its public half. */
  readonly key?: SigningKey;
  /** The file of keys that agents had so far; default `~/.config/rookery-deploy/known_agents`. */
  readonly knownAgents?: string;
  /** Takes an agent that nobody knows for what it says, and remembers its key. Default false. */
  readonly trustNew?: boolean;
}

const AGENT_PORT = 7_071;
/** A machine that is down answers nothing. */
const CONNECT_WITHIN_MS = 15_000;
/** Between the word that kills the host's side and the end of the connection. */
const KILLED_WITHIN_MS = 1_000;
const KEEP_ALIVE_MS = 10_000;

/** A machine where `rookery-deploy agent` runs. */
export function agentTransport(options: AgentTransportOptions = {}): Transport {
  const identity = options.key === undefined ? undefined : createIdentity(options.key);
  const known = knownAgents(options.knownAgents ?? defaultKnownAgents());
  return {
    name: 'agent',
    async open(host, { signal }) {
      throwIfGivenUp(signal);
      if (identity === undefined) {
        throw new HostError('not-allowed', 'Agents obey keys: give this coordinator’s with --agent-key FILE');
      }
      const socket = await dial(host, identity, signal);
      try {
        await checkKey(host, peerKey(socket)?.text, known, options.trustNew === true);
        throwIfGivenUp(signal);
        return socketStream(socket);
      } catch (error) {
        socket.destroy();
        throw error;
      }
    },
  };
}

/** Nothing is said before the agent's key was looked at. @throws HostError `unreachable` */
async function dial(
  { address, port = AGENT_PORT }: Host,
  identity: Identity,
  signal: AbortSignal,
): Promise<TLSSocket> {
  const socket = connect({ ...identity.tls, host: address, port });
  const limit = AbortSignal.any([signal, AbortSignal.timeout(CONNECT_WITHIN_MS)]);
  try {
    await once(socket, 'secureConnect', { signal: limit });
  } catch (error) {
    socket.on('error', () => undefined).destroy();
    throwIfGivenUp(signal);
    const why = limit.aborted ? `no answer within ${CONNECT_WITHIN_MS / 1000} s` : (error as Error).message;
    throw new HostError('unreachable', `${placeOf({ address, port })}: ${why}`, { cause: error });
  }
  socket.on('error', () => undefined);
  socket.setNoDelay(true);
  socket.setKeepAlive(true, KEEP_ALIVE_MS);
  return socket;
}

async function checkKey(
  { name, address, port = AGENT_PORT, agentKey }: Host,
  key: string | undefined,
  known: KnownAgents,
  trustNew: boolean,
): Promise<void> {
  const place = placeOf({ address, port });
  if (key === undefined) throw new HostError('host-key-changed', `${place}: it shows no Ed25519 key`);
  const expected = agentKey ?? (await known.keyOf(place));
  if (expected === key) return;
  if (expected !== undefined) {
    throw new HostError(
      'host-key-changed',
      `${place}: its key is ${key}, and not ${expected}: find out why; if it is right, correct agent_key or known_agents`,
    );
  }
  if (trustNew) return known.remember(place, key);
  throw new HostError(
    'host-key-unknown',
    `${place}: nobody has said that its key is ${key}: compare it with what the agent logs, and give agent_key in [hosts.${name}], or --trust-new-agents once`,
  );
}

function placeOf({ address, port }: { readonly address: string; readonly port: number }): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function socketStream(socket: TLSSocket): HostStream {
  // A connection that is reset ends what is read like one that is closed: `ended` says why.
  const output = socket.pipe(new PassThrough());
  let failure: Error | undefined;
  socket.once('error', (error) => {
    failure = error;
  });
  const ended = new Promise<{ readonly reason: string }>((resolve) => {
    socket.once('close', () => {
      output.end();
      resolve({ reason: failure?.message ?? 'the agent has closed the connection' });
    });
  });
  return {
    input: socket,
    output,
    ended,
    async kill() {
      // The connection's end alone would let a step come to its own.
      if (socket.writable) socket.end(`${KILL_LINE}\n`);
      const late = new AbortController();
      await Promise.race([
        ended,
        delay(KILLED_WITHIN_MS, undefined, { signal: late.signal }).then(
          () => socket.destroy(),
          () => undefined,
        ),
      ]);
      late.abort();
      await ended;
    },
  };
}
