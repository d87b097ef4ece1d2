import { settingNames } from '../config/index.ts';
import { StartError } from '../kernel/errors.ts';
import { checkWalls } from '../platform/db/index.ts';
import type { Guardian } from '../platform/process/index.ts';
import { startGuardian } from '../platform/process/index.ts';
import type { DataFolder } from './data-folder.ts';
import { createEphemeralFolder, removeFolder } from './data-folder.ts';
import { deriveKeys } from './derived-keys.ts';
import type { HostedDatabase } from './hosted-database.ts';
import { hostDatabase } from './hosted-database.ts';
import { startNodeProcess } from './node-process.ts';
import type { Parts, PartsOptions } from './parts.ts';
import type { Ports } from './ports.ts';
import { openPorts } from './ports.ts';
import { takeFolder, writeRunFile } from './run-file.ts';
import { supervise } from './supervise.ts';

const SECRET_BYTES = 32;
// What base64url makes of them: a shorter file has been cut.
const SECRET_CHARS = Math.ceil((SECRET_BYTES * 4) / 3);

/** A folder that this process hosts, and what ends the servers should this process be killed. */
interface Premises {
  readonly folder: DataFolder;
  readonly guardian: Guardian;
}

/**
 * Hosts `folder`, which this process has taken; `taken` is given back with the rest. Rejects with a
 * `StartError`, and leaves nothing running then.
 */
export async function hostFolder(
  options: PartsOptions,
  folder: DataFolder,
  taken: AsyncDisposable,
): Promise<Parts> {
  await using stack = new AsyncDisposableStack();
  stack.use(taken);
  const guardian = stack.use(await startGuardian(options));
  // Awaited here: the stack closes what is on it when this function ends.
  return await host(options, { folder, guardian }, stack);
}

/** Hosts a temporary folder, which is gone when the process ends, however it ends. */
export async function hostEphemeral(options: PartsOptions): Promise<Parts> {
  await using stack = new AsyncDisposableStack();
  const guardian = stack.use(await startGuardian(options));
  const folder = await createEphemeralFolder(options.random);
  guardian.watchDirectory(folder.path);
  stack.defer(async () => {
    await removeFolder(folder);
    guardian.releaseDirectory(folder.path);
  });
  const taken = await takeFolder(folder);
  if (!taken) throw new Error(`The new folder ${folder.path} is taken.`);
  stack.use(taken);
  // Awaited here: the stack closes what is on it when this function ends.
  return await host(options, { folder, guardian }, stack);
}

/** Starts what is not external, and puts it on `stack`, which is the caller's until this resolves. */
async function host(
  options: PartsOptions,
  { folder, guardian }: Premises,
  stack: AsyncDisposableStack,
): Promise<Parts> {
  const { clock, random, signal } = options;
  const secret = await secretOf(options, folder);
  const keys = deriveKeys(secret);
  const ports = await openPorts(folder, { clock, random });
  signal.throwIfAborted();

  const { urls, adminUrl }: Pick<HostedDatabase, 'urls'> & { readonly adminUrl: string | null } =
    options.database
      ? { urls: options.database, adminUrl: null }
      : stack.use(await hostDatabase(options, { folder, keys, secret, ports, guardian }));
  // Somebody else's is looked at before anything is started for it.
  if (adminUrl === null) await checkWalls({ urls: settingNames(urls) });
  signal.throwIfAborted();

  const isNodeHosted = await options.needsNode(urls);
  const nodeAddress = isNodeHosted ? await hostNode(options, { guardian, ports, stack }) : null;
  signal.throwIfAborted();
  stack.use(
    await writeRunFile(folder, { pid: process.pid, secret, database: urls, adminUrl, node: nodeAddress }),
  );

  const owned = stack.move();
  return {
    isHost: true,
    folder,
    keys,
    urls,
    adminUrl,
    nodeAddress,
    outdated: new Promise(() => {}),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function secretOf({ secret, database, random }: PartsOptions, folder: DataFolder): Promise<string> {
  if (secret !== null) return secret;
  if (database !== null) {
    throw new StartError(
      'An external Postgres needs DARKROOM_SECRET, the same for every process on it: keys are hashed under it.',
    );
  }
  const kept = await folder.readOrCreate('secret', () =>
    Buffer.from(random.bytes(SECRET_BYTES)).toString('base64url'),
  );
  if (kept.length >= SECRET_CHARS) return kept;
  throw new StartError(
    `${folder.at('secret')} holds no secret. Restore it from a backup, or start on a new data folder.`,
  );
}

interface NodeParts {
  readonly guardian: Guardian;
  readonly ports: Ports;
  readonly stack: AsyncDisposableStack;
}

async function hostNode(options: PartsOptions, { guardian, ports, stack }: NodeParts): Promise<string> {
  const { entry, modelsDirectory, logger, clock, random, say } = options;
  say('starting the inference node');
  const port = await ports.take('node');
  const start = () => startNodeProcess({ entry, modelsDirectory, port, guardian, logger });
  const node = stack.use(await supervise({ name: 'the inference node', start, clock, random, logger }));
  return node.first.address;
}
