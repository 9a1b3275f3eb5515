import { fileURLToPath } from 'node:url';
import { defineConfig } from 'tsdown';

/** What webtorrent imports and a server has no use for: WebRTC, µTP, DHT, UPnP. Each would bring native code or megabytes. */
const absent: string = fileURLToPath(new URL('src/swarm/client/absent.ts', import.meta.url));

// Everything is bundled in: a bare host needs Node and these files, and no node_modules.
export default defineConfig({
  // The host's side is a program of its own: see src/hosts/program.ts.
  entry: { index: 'src/index.ts', cli: 'src/cli.ts', host: 'src/host/main.ts' },
  platform: 'node',
  target: 'node24',
  dts: { oxc: true },
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
});
