import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

const conditions = ['@rookery/source'];

const project = (root: string, env: Record<string, string> = {}) => ({
  // Workspace sources run unbuilt; see the "exports" of each package.
  resolve: { conditions },
  ssr: { resolve: { conditions: [...conditions, 'node', 'import', 'default'] } },
  test: {
    name: root.split('/').at(-1)!,
    root,
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    // Two suit the two cores of CI, since most wait for real processes; projects don't take it from the root.
    maxWorkers: 2,
    // Longer than each of the waits inside, which say what did not happen: on a machine that is busy with other tests a
    // program alone takes seconds to start. A test with more to do says so itself.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 20_000 } },
    env: {
      // Hundreds of programs are started from source: what Node has compiled once is half of what a start costs.
      NODE_COMPILE_CACHE: join(import.meta.dirname, 'node_modules/.cache/node-compile'),
      ...env,
    },
  },
});

export default defineConfig({
  test: {
    projects: [
      project('packages/protocol'),
      project('packages/service'),
      project('packages/storage'),
      project('packages/testkit'),
      project('apps/queue'),
      project('apps/bus'),
      project('apps/deploy', {
        // Pushes of tests are not written down among the user's own.
        ROOKERY_DEPLOY_HISTORY: 'none',
      }),
    ],
  },
});
