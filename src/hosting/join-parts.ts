import { agree } from '../config/index.ts';
import type { Clock } from '../kernel/clock.ts';
import { StartError } from '../kernel/errors.ts';
import { repeat } from '../kernel/repeat.ts';
import { isServerReachable } from '../platform/db/index.ts';
import type { DataFolder } from './data-folder.ts';
import { deriveKeys } from './derived-keys.ts';
import type { Parts, PartsOptions } from './parts.ts';
import type { RunFile } from './run-file.ts';
import { findRunFile } from './run-file.ts';

const WATCH_MS = 1_000;

/**
 * Uses what the host of the folder runs, as its `run` file says; null while its database does not answer.
 * Rejects with a `StartError` when this process was told to use something else.
 */
export async function joinFolder(
  options: PartsOptions,
  folder: DataFolder,
  run: RunFile,
): Promise<Parts | null> {
  refuseOthers(options, folder, run);
  const { secret, adminUrl, node: nodeAddress } = run;
  // The host of an external one may have other roles than this process, and then other logins.
  const urls = options.database ?? run.database;
  const [first] = Object.values(urls);
  if (first === undefined || !(await isServerReachable(first))) return null;
  const watch = watchHost({ folder, run, clock: options.clock });
  return { isHost: false, folder, keys: deriveKeys(secret), urls, adminUrl, nodeAddress, ...watch };
}

/** One folder is one platform: a process that would work beside it, on other data, is a mistake. */
function refuseOthers({ secret, database }: PartsOptions, { path }: DataFolder, run: RunFile): void {
  const fault = (setting: string) =>
    new StartError(
      `Process ${run.pid} runs on the data folder ${path} with another ${setting} than this one was given. ` +
        'Give both the same, or choose another folder with --data DIR.',
    );
  if (secret !== null && secret !== run.secret) throw fault('DARKROOM_SECRET');
  if (database !== null && !agree(database, run.database)) throw fault('DATABASE_URL');
}

interface Watched {
  readonly folder: DataFolder;
  readonly run: RunFile;
  readonly clock: Clock;
}

/** Looks at the run file of every host that comes after the one that was joined. */
function watchHost({ folder, run, clock }: Watched): Pick<Parts, 'outdated' | typeof Symbol.asyncDispose> {
  const closing = new AbortController();
  const outdated = Promise.withResolvers<StartError>();
  async function look(): Promise<number> {
    const now = await findRunFile(folder.path).catch(() => null);
    if (now && !(now.secret === run.secret && agree(now.database, run.database))) {
      outdated.resolve(
        new StartError(
          `The database of ${folder.path} came back under another address (process ${now.pid} hosts it now). ` +
            'Start this process again, and it finds it.',
        ),
      );
    }
    return WATCH_MS;
  }
  const watching = repeat(look, clock, closing.signal);
  return {
    outdated: outdated.promise,
    async [Symbol.asyncDispose]() {
      closing.abort();
      await watching;
    },
  };
}
