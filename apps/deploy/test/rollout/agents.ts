import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Agent, createServedAgent, type ServedAgentOptions } from '../../src/agent/agent.ts';
import type { AgentSettings } from '../../src/agent/settings.ts';
import type { HostSettings } from '../../src/host/settings.ts';
import { agentTransport } from '../../src/hosts/agent/agent.ts';
import type { Transport } from '../../src/hosts/transport.ts';
import type { Host } from '../../src/inventory/host.ts';
import { generateKeys, parseSigningKey, type SigningKey } from '../../src/release/keys.ts';
import type { World } from './world.ts';

let count = 0;

export function newKey(): SigningKey {
  return parseSigningKey(generateKeys().privatePem);
}

/** Settings of an agent that has a key of its own and obeys this coordinator in these roots. */
export async function settingsOfAgent(
  world: World,
  coordinator: SigningKey,
  roots: readonly HostSettings[],
): Promise<Partial<AgentSettings>> {
  const key = join(world.path, `agent-${++count}.key`);
  await writeFile(key, generateKeys().privatePem, { mode: 0o600 });
  return {
    listen: { host: '127.0.0.1', port: 0 },
    adminPort: 0,
    key,
    coordinators: [coordinator.publicKey.text],
    trust: [world.trust.text],
    root: Object.fromEntries(
      roots.map(({ root, linkedFiles, linkedFolders, ...rest }) => [
        root,
        { ...rest, linkedFiles: [...linkedFiles], linkedFolders: [...linkedFolders] },
      ]),
    ),
  };
}

export interface TestAgent extends AsyncDisposable {
  readonly agent: Agent;
  readonly port: number;
  /** As an inventory says it. */
  at(host: Host): Host;
}

export async function startAgent(
  settings: Partial<AgentSettings>,
  more: Pick<ServedAgentOptions, 'log'> = {},
): Promise<TestAgent> {
  const agent = createServedAgent({ settings, ...more });
  await agent.start();
  const { port } = agent.address!;
  return {
    agent,
    port,
    at: (host) => ({
      ...host,
      transport: 'agent',
      address: '127.0.0.1',
      port,
      agentKey: agent.publicKey!,
    }),
    async [Symbol.asyncDispose]() {
      await agent.stop();
    },
  };
}

/** Takes every host for one with an agent of its own, whose settings are those that the inventory says. */
export function agentsTransport(world: World): { readonly transport: Transport } & AsyncDisposable {
  const coordinator = newKey();
  const agents = new Map<string, Promise<TestAgent>>();
  const transport = agentTransport({ key: coordinator, knownAgents: join(world.path, 'none') });
  return {
    transport: {
      name: 'agent',
      async open(host, opening) {
        const { root } = host.settings;
        const started =
          agents.get(root) ??
          (async () => startAgent(await settingsOfAgent(world, coordinator, [host.settings])))();
        agents.set(root, started);
        return transport.open((await started).at(host), opening);
      },
    },
    async [Symbol.asyncDispose]() {
      for (const agent of agents.values()) await (await agent)[Symbol.asyncDispose]();
    },
  };
}
