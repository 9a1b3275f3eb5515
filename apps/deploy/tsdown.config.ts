import { fileURLToPath } from 'node:url';
import { defineConfig, type UserConfig } from 'tsdown';

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

const config: UserConfig[] = defineConfig([
  {
    ...bundled,
    entry: { index: 'src/index.ts', cli: 'src/cli.ts' },
    dts: { oxc: true },
    // Their declarations can't be bundled; only who writes an agent of their own meets them.
    deps: { ...bundled.deps, dts: { neverBundle: ['pino', 'zod'] } },
  },
  hostConfig,
]);
export default config;
