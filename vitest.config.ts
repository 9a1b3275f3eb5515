import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    projects: ['packages/*', 'apps/*'],
    // Two workers suit the two cores of CI: some tests time real processes.
    maxWorkers: 2,
  },
});
