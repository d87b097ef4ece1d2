import { pino } from 'pino';
import { startPostgres } from '../../src/platform/postgres/start-postgres.ts';
import { startGuardian } from '../../src/platform/process/guardian.ts';

export interface ExternalPostgres extends AsyncDisposable {
  /** The administrator over TCP. */
  readonly adminUrl: string;
}

/**
 * A Postgres that darkroom does not run. One of its own for whoever asks, and not the one of the whole
 * run: roles belong to the server, and a migration whose roles are already there prints no passwords.
 */
export async function startExternalPostgres(dataDirectory: string): Promise<ExternalPostgres> {
  const logger = pino({ level: 'silent' });
  await using stack = new AsyncDisposableStack();
  const guardian = stack.use(await startGuardian({ logger }));
  const { adminUrl } = stack.use(
    await startPostgres({
      dataDirectory,
      port: 0,
      superuserPassword: 'the administrator',
      isEphemeral: true,
      guardian,
      logger,
    }),
  );
  const owned = stack.move();
  return { adminUrl, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
