import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

// One project per level of test, so that `npm run check` runs the quick ones alone.
const project = (name: string, include: string[], more: object = {}) => ({
  extends: true as const,
  test: { name, include, ...more },
});

export default defineConfig({
  // Vite would take graphql's ESM build and Node the other one for the packages that use it: two
  // copies, each of which refuses the other's schema.
  resolve: { alias: [{ find: /^graphql$/, replacement: fileURLToPath(import.meta.resolve('graphql')) }] },
  test: {
    reporters: ['default'],
    projects: [
      project('unit', ['src/**/*.test.ts', 'infra/**/*.test.ts', 'test/bench/**/*.test.ts'], {
        testTimeout: 30_000,
      }),
      project('parity', ['test/parity/**/*.test.ts'], { testTimeout: 60_000 }),
      project('engines', ['test/engines/**/*.test.ts'], { testTimeout: 60_000, hookTimeout: 60_000 }),
      // One at a time: each of them uses a core, for up to minutes.
      project('export', ['test/export/**/*.test.ts'], { testTimeout: 1_200_000 }),
      project('train', ['test/train/**/*.test.ts'], { testTimeout: 1_200_000 }),
      project('db', ['test/db/**/*.test.ts'], {
        testTimeout: 30_000,
        hookTimeout: 60_000,
        globalSetup: ['test/support/postgres-server.ts'],
      }),
      project('api', ['test/api/**/*.test.ts'], {
        testTimeout: 60_000,
        hookTimeout: 120_000,
        globalSetup: ['test/support/postgres-server.ts'],
      }),
      project('e2e', ['test/e2e/**/*.test.ts'], {
        testTimeout: 180_000,
        hookTimeout: 180_000,
        fileParallelism: false,
      }),
      project('chaos', ['test/chaos/**/*.test.ts'], {
        testTimeout: 600_000,
        hookTimeout: 60_000,
        fileParallelism: false,
        globalSetup: ['test/support/postgres-server.ts'],
      }),
    ],
  },
});
