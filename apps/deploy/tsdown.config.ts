import { defineConfig } from 'tsdown';

// Everything is bundled in: a bare host needs Node and these files, and no node_modules.
export default defineConfig({
  entry: ['src/index.ts', 'src/cli.ts'],
  platform: 'node',
  target: 'node24',
  dts: { oxc: true },
  deps: { alwaysBundle: [/.*/], onlyBundle: false },
  sourcemap: true,
  fixedExtension: false,
});
