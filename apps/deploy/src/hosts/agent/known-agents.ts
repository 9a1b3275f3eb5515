import { appendFile, mkdir, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { HostError } from '../../host/errors.ts';

/** Which key an agent has had so far, by `ADDRESS:PORT`. */
export interface KnownAgents {
  /** @throws HostError `unexpected`: the file can't be read, or is no such file */
  keyOf(place: string): Promise<string | undefined>;
  /** @throws HostError `unexpected` */
  remember(place: string, key: string): Promise<void>;
}

const LINE = /^(\S+) ([A-Za-z0-9+/]{43}=)$/;

export function defaultKnownAgents(): string {
  return join(process.env.XDG_CONFIG_HOME || join(homedir(), '.config'), 'rookery-deploy', 'known_agents');
}

/** A file with a line `ADDRESS:PORT KEY` for each; of two lines the later one counts. */
export function knownAgents(path: string): KnownAgents {
  const read = async (): Promise<ReadonlyMap<string, string>> => {
    let text: string;
    try {
      text = await readFile(path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Map();
      throw new HostError('unexpected', `${path}: ${(error as Error).message}`, { cause: error });
    }
    const known = new Map<string, string>();
    for (const [index, line] of text.split('\n').entries()) {
      if (line.trim() === '' || line.startsWith('#')) continue;
      const [, place, key] = LINE.exec(line.trim()) ?? [];
      if (place === undefined || key === undefined) {
        // To pass it over could be to take an agent for new whose key has changed.
        throw new HostError('unexpected', `${path}:${index + 1}: expected ADDRESS:PORT KEY`);
      }
      known.set(place, key);
    }
    return known;
  };
  return {
    keyOf: async (place) => (await read()).get(place),
    async remember(place, key) {
      try {
        await mkdir(dirname(path), { recursive: true, mode: 0o700 });
        // One write of a few bytes to a file opened for appending: others may do it at the same time.
        await appendFile(path, `${place} ${key}\n`, { mode: 0o600 });
      } catch (error) {
        throw new HostError('unexpected', `${path}: ${(error as Error).message}`, { cause: error });
      }
    },
  };
}
