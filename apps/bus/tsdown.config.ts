import { defineConfig } from 'tsdown';

// The workspace's packages are bundled in, so that the packed app needs nothing but what npm can fetch.
const shared = {
  target: 'node24',
  dts: { oxc: { stripInternal: true } },
  deps: { alwaysBundle: [/^@rookery\//] },
  sourcemap: true,
  fixedExtension: false,
};

export default defineConfig([
  {
    ...shared,
    entry: {
      index: 'src/index.ts',
      cli: 'src/cli.ts',
      spool: 'src/spool/index.ts',
      'client-node': 'src/client/node.ts',
    },
    platform: 'node',
  },
  // For browsers too: nothing of Node, and nothing shared with what needs Node.
  {
    ...shared,
    target: 'es2022',
    entry: { client: 'src/client/index.ts' },
    platform: 'neutral',
    clean: false,
  },
]);
