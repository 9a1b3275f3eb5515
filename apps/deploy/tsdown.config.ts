import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig, type Rolldown, type UserConfig } from 'tsdown';

/** What webtorrent imports and a server has no use for: WebRTC, µTP, DHT, UPnP. Each would bring native code or megabytes. */
const absent: string = fileURLToPath(new URL('src/swarm/client/absent.ts', import.meta.url));

// Everything is bundled in: a bare host needs Node and these files, and no node_modules.
const bundled: UserConfig = {
  platform: 'node',
  target: 'node24',
  deps: { alwaysBundle: [/.*/], onlyBundle: false },
  alias: Object.fromEntries(
    [
      '@thaunknown/simple-peer/lite.js',
      '@silentbot1/nat-api',
      'bittorrent-dht',
      'load-ip-set',
      'utp-native',
      'ws',
    ].map((name) => [name, absent]),
  ),
  sourcemap: true,
  fixedExtension: false,
};

/** The host's side is a program of its own, and one file: ssh hosts are sent it (src/hosts/ssh). */
export const hostConfig: UserConfig = {
  ...bundled,
  entry: { host: 'src/host/main.ts' },
  outputOptions: { codeSplitting: false },
  dts: false,
};

/** Whoever passes on the packages that are bundled in passes on their licenses, too. */
const licenses: Rolldown.Plugin = {
  name: 'licenses',
  generateBundle(_, bundle) {
    const folders = new Set<string>();
    for (const part of Object.values(bundle)) {
      for (const id of part.type === 'chunk' ? part.moduleIds : []) {
        const folder = /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id)?.[0];
        if (folder !== undefined) folders.add(folder);
      }
    }
    if (folders.size > 0)
      this.emitFile({
        type: 'asset',
        fileName: 'LICENSES.txt',
        source: [...folders].sort().map(licenseOf).join('\n'),
      });
  },
};

function licenseOf(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const file = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one));
  const text = file === undefined ? '' : readFileSync(join(folder, file), 'utf8').trim();
  return `${'='.repeat(80)}\n${name} ${version}: ${license}\n\n${text}\n`;
}

const config: UserConfig[] = defineConfig([
  {
    ...bundled,
    entry: { index: 'src/index.ts', cli: 'src/cli.ts' },
    dts: { oxc: true },
    plugins: [licenses],
    // Their declarations can't be bundled, and needn't be: nothing that is exported has types of theirs.
    deps: { ...bundled.deps, dts: { neverBundle: ['pino', 'zod'] } },
    treeshake: { moduleSideEffects: [{ external: true, test: /^(pino|zod)$/, sideEffects: false }] },
  },
  hostConfig,
]);
export default config;
