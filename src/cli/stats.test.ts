import { expect, it } from 'vitest';
import { createTestHost } from '../../test/support/host.ts';
import { createProgram } from './program.ts';

async function run(args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  const host = createTestHost({ environment });
  await createProgram(host, '0.0.0').parseAsync(['stats', ...args], { from: 'user' });
  return { exitCode: host.exitCode, out: host.out(), err: host.err() };
}

const DARKROOM_API = 'http://127.0.0.1:9/graphql';

it('asks one of the two, and says so when it is given both', async () => {
  const { exitCode, out, err } = await run([
    '--api',
    DARKROOM_API,
    '--key',
    'dk_live_x',
    '--data',
    '/nowhere',
  ]);

  expect({ exitCode, out }).toEqual({ exitCode: 1, out: '' });
  expect(err).toMatch(/--api .* --data .*one of them/);
});

it('asks the API of the environment with a key, and names what is missing', async () => {
  expect(await run([], { DARKROOM_API })).toMatchObject({ exitCode: 1, err: expect.stringMatching(/--key/) });
});

it('asks the folder that is named, whatever API the environment has', async () => {
  const { exitCode, err } = await run(['--data', '/nowhere'], {
    DARKROOM_API,
    DARKROOM_API_KEY: 'dk_live_x',
  });

  expect(exitCode).toBe(1);
  expect(err).toContain('No platform runs on /nowhere');
});
