import { defineConfig } from 'tsdown';

// The workspace's packages are bundled in, so that the packed app needs nothing but what npm can fetch.
export default defineConfig({
  entry: { index: 'src/index.ts', cli: 'src/cli.ts', client: 'src/client/index.ts' },
  platform: 'node',
  target: 'node24',
  dts: { oxc: true },
  deps: { alwaysBundle: [/^@rookery\//] },
  sourcemap: true,
  fixedExtension: false,
});
