import { defineConfig } from 'vitest/config';

export default defineConfig({
  // Workspace sources run unbuilt; see the "exports" of each package.
  resolve: { conditions: ['@rookery/source'] },
  ssr: { resolve: { conditions: ['@rookery/source', 'node', 'import', 'default'] } },
  // Trees of hundreds of files, on a disk that others use too.
  test: {
    name: 'deploy',
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    testTimeout: 60_000,
    // Pushes of tests are not written down among the user's own.
    env: { ROOKERY_DEPLOY_HISTORY: 'none' },
  },
});
