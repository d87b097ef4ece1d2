import type { Clock } from '../kernel/clock.ts';
import { StartError } from '../kernel/errors.ts';
import type { Random } from '../kernel/random.ts';
import type { DatabaseUrls } from '../config/index.ts';
import { settingNames } from '../config/index.ts';
import { checkWalls, migrate, passwordsFrom } from '../platform/db/index.ts';
import { startPostgres } from '../platform/postgres/index.ts';
import type { Guardian } from '../platform/process/index.ts';
import { startGuardian } from '../platform/process/index.ts';
import type { Logger } from '../platform/telemetry/index.ts';
import type { DataFolder } from './data-folder.ts';
import { createEphemeralFolder, openDataFolder, removeFolder } from './data-folder.ts';
import type { DerivedKeys } from './derived-keys.ts';
import { deriveKeys } from './derived-keys.ts';
import { startNodeProcess } from './node-process.ts';
import { takeFolder, writeRunFile } from './run-file.ts';

export interface HostOptions {
  /** Null: a temporary folder that is gone with the process. */
  readonly dataDirectory: string | null;
  readonly modelsDirectory: string;
  /** Null: kept in the data folder. */
  readonly secret: string | null;
  /** Null: the embedded Postgres. */
  readonly database: DatabaseUrls | null;
  readonly entry: string;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
  /** Told what is being started, for a person who waits. */
  readonly say: (text: string) => void;
  /** Fires when the process is to end: nothing more is started then. */
  readonly signal: AbortSignal;
}

/** What an installation on one machine stands on; disposing stops it all, the node first. */
export interface HostedParts extends AsyncDisposable {
  readonly folder: DataFolder;
  readonly keys: DerivedKeys;
  readonly urls: DatabaseUrls;
  /** The embedded cluster's superuser over TCP, or null. */
  readonly adminUrl: string | null;
  /** `grpc://host:port` */
  readonly nodeAddress: string;
}

const DATABASE = 'darkroom';
const SECRET_BYTES = 32;
// What base64url makes of them, and what DARKROOM_SECRET has to have at least.
const SECRET_CHARS_MIN = 32;

/**
 * Starts what is not external: data folder, Postgres, inference node, and the guardian that ends them
 * should this process be killed. Rejects with a `StartError`, and leaves nothing running then.
 */
export async function hostParts(options: HostOptions): Promise<HostedParts> {
  const { logger, random, signal, say } = options;
  await using stack = new AsyncDisposableStack();
  const guardian = stack.use(await startGuardian({ logger }));
  const folder = await openFolder(options, guardian, stack);
  stack.use(await takeFolder(folder));
  const secret =
    options.secret ??
    (await folder.readOrCreate('secret', () =>
      Buffer.from(random.bytes(SECRET_BYTES)).toString('base64url'),
    ));
  if (secret.length < SECRET_CHARS_MIN) {
    throw new StartError(
      `${folder.at('secret')} holds no secret. Restore it from a backup, or start on a new data folder.`,
    );
  }
  const keys = deriveKeys(secret);
  signal.throwIfAborted();

  const database = options.database
    ? await useDatabase(options.database)
    : await hostDatabase(options, { folder, keys, secret, guardian, stack });
  stack.use(await writeRunFile(folder, { pid: process.pid, secret, database: database.urls }));
  signal.throwIfAborted();

  say('starting the inference node');
  const { entry, modelsDirectory } = options;
  const node = stack.use(await startNodeProcess({ entry, modelsDirectory, guardian, logger }));
  signal.throwIfAborted();
  const isStopping = { value: false };
  stack.defer(() => {
    isStopping.value = true;
  });
  const report = (what: string) => (exit: object) => {
    if (!isStopping.value) logger.error(exit, `${what} ended by itself; start the platform again`);
  };
  void node.exited.then(report('the inference node'));
  void database.exited?.then(report('the database'));

  const owned = stack.move();
  return {
    folder,
    keys,
    urls: database.urls,
    adminUrl: database.adminUrl,
    nodeAddress: node.address,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function openFolder(
  { dataDirectory, random }: HostOptions,
  guardian: Guardian,
  stack: AsyncDisposableStack,
): Promise<DataFolder> {
  if (dataDirectory !== null) return openDataFolder(dataDirectory, random);
  const folder = await createEphemeralFolder(random);
  guardian.watchDirectory(folder.path);
  stack.defer(async () => {
    await removeFolder(folder);
    guardian.releaseDirectory(folder.path);
  });
  return folder;
}

/** Looks at somebody else's database before anything is started for it. */
async function useDatabase(urls: DatabaseUrls): Promise<HostedDatabase> {
  await checkWalls({ urls: settingNames(urls) });
  return { urls, adminUrl: null, exited: null };
}

interface HostedDatabase extends Pick<HostedParts, 'urls' | 'adminUrl'> {
  /** Settles when the embedded server has ended; null when it is somebody else's. */
  readonly exited: Promise<object> | null;
}

interface DatabaseParts {
  readonly folder: DataFolder;
  readonly keys: DerivedKeys;
  readonly secret: string;
  readonly guardian: Guardian;
  readonly stack: AsyncDisposableStack;
}

async function hostDatabase(
  { logger, clock, say }: HostOptions,
  { folder, keys, secret, guardian, stack }: DatabaseParts,
): Promise<HostedDatabase> {
  say('starting the database');
  const postgres = stack.use(
    await startPostgres({
      dataDirectory: folder.at('postgres'),
      port: 0,
      superuserPassword: keys.superuserPassword,
      isEphemeral: folder.isEphemeral,
      guardian,
      logger,
      clock,
    }),
  );
  const { settings, adminUrl } = await migrate({
    adminUrl: postgres.adminUrl,
    database: DATABASE,
    passwords: passwordsFrom(secret),
    logger,
  });
  const url = (name: Parameters<typeof settings.get>[0]) => settings.get(name) ?? '';
  return {
    adminUrl,
    exited: postgres.exited,
    urls: {
      app: url('DATABASE_URL'),
      auth: url('DATABASE_AUTH_URL'),
      dispatcher: url('DATABASE_DISPATCHER_URL'),
      system: url('DATABASE_SYSTEM_URL'),
      listen: url('DATABASE_LISTEN_URL'),
    },
  };
}
