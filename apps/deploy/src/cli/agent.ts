import { addSettingsOptions, serve, setExitCode } from '@rookery/service';
import type { Command } from 'commander';
import packageJson from '../../package.json' with { type: 'json' };
import { createServedAgent } from '../agent/agent.ts';
import { agentSettings } from '../agent/settings.ts';

/** The daemon of a host: its flags, and what it does. */
export function setUpAgent(command: Command, root: Command): void {
  addSettingsOptions(command, agentSettings).action(async () => {
    const exitCode = await serve({
      name: 'rookery-deploy-agent',
      version: packageJson.version,
      definition: agentSettings,
      input: { flags: command.opts(), environment: process.env },
      create(loaded, log) {
        const agent = createServedAgent({ loaded, log });
        return {
          lifecycle: agent.lifecycle,
          announce: () => ({ ...agent.address!, public_key: agent.publicKey, admin: agent.adminUrl }),
          reload: async () => void (await agent.reload()),
        };
      },
    });
    setExitCode(root, exitCode);
  });
}
