import type { DatabaseUrls } from '../config/index.ts';
import { loginsIn } from '../config/index.ts';
import { migrate, passwordsFrom } from '../platform/db/index.ts';
import { startPostgres, waitForFreeFolder } from '../platform/postgres/index.ts';
import type { Guardian } from '../platform/process/index.ts';
import type { DataFolder } from './data-folder.ts';
import type { DerivedKeys } from './derived-keys.ts';
import type { PartsOptions } from './parts.ts';
import type { Ports } from './ports.ts';
import { supervise } from './supervise.ts';

/** The embedded Postgres of a data folder, migrated and kept running. Disposing stops it. */
export interface HostedDatabase extends AsyncDisposable {
  readonly urls: DatabaseUrls;
  /** The superuser over TCP. */
  readonly adminUrl: string;
}

export interface HostedDatabaseDeps {
  readonly folder: DataFolder;
  readonly keys: DerivedKeys;
  readonly secret: string;
  readonly ports: Ports;
  readonly guardian: Guardian;
}

const DATABASE = 'darkroom';

/** Starts it on the port of the last time. Rejects with a `StartError`, and leaves nothing running then. */
export async function hostDatabase(
  { logger, clock, random, say }: PartsOptions,
  { folder, keys, secret, ports, guardian }: HostedDatabaseDeps,
): Promise<HostedDatabase> {
  say('starting the database');
  const dataDirectory = folder.at('postgres');
  // The port of a predecessor that is still on its way out is not one that somebody else has taken.
  await waitForFreeFolder({ dataDirectory, clock, logger });
  const port = await ports.take('postgres');
  const start = () =>
    startPostgres({
      dataDirectory,
      port,
      superuserPassword: keys.superuserPassword,
      isEphemeral: folder.isEphemeral,
      guardian,
      logger,
      clock,
    });
  await using stack = new AsyncDisposableStack();
  const postgres = stack.use(await supervise({ name: 'the database', start, clock, random, logger }));
  const { settings, adminUrl } = await migrate({
    adminUrl: postgres.first.adminUrl,
    database: DATABASE,
    passwords: passwordsFrom(secret),
    logger,
  });
  const owned = stack.move();
  return {
    adminUrl,
    urls: loginsIn(Object.fromEntries(settings)) ?? {},
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
