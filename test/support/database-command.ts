import { createProgram } from '../../src/cli/program.ts';
import type { TestDatabase } from './database.ts';
import { createTestHost } from './host.ts';

/** `darkroom …` on `database`, as an operator runs it beside the platform: its exit status and what it printed. */
export async function runOnDatabase({ urls }: Pick<TestDatabase, 'urls'>, args: readonly string[]) {
  const host = createTestHost({
    environment: {
      DATABASE_URL: urls.app,
      DATABASE_AUTH_URL: urls.auth,
      DATABASE_DISPATCHER_URL: urls.dispatcher,
      DATABASE_SYSTEM_URL: urls.system,
      DATABASE_LISTEN_URL: urls.listen,
      DARKROOM_SECRET: 's'.repeat(32),
    },
  });
  await createProgram(host, '0.0.0').parseAsync(args, { from: 'user' });
  return { code: host.exitCode, out: host.out(), err: host.err() };
}
