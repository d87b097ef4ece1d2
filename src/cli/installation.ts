import type { Command } from 'commander';
import type { Operator } from '../app.ts';
import type { DatabaseUrls } from '../config/index.ts';
import { readConfig } from '../config/index.ts';
import type { Operations } from '../domains/operations/index.ts';
import { StartError } from '../kernel/errors.ts';
import type { Host } from './host.ts';
import { DEFAULT_DATA } from './start-options.ts';

export interface InstallationFlags {
  readonly data?: string;
}

export function addInstallationOptions(command: Command): Command {
  return command.option(
    '--data <dir>',
    'the data folder of the running platform (default: .darkroom in the clone)',
  );
}

/**
 * Opens a running installation for an operator's command: the one whose data folder is named, or the
 * external one of the environment (DATABASE_SYSTEM_URL, with DARKROOM_SECRET). Rejects with a `StartError`
 * when it is not there.
 */
export async function openInstallation(host: Host, flags: InstallationFlags): Promise<Operator> {
  const [{ url, secret }, { openOperator }, { deriveKeys }] = await Promise.all([
    findInstallation(host, flags),
    import('../app.ts'),
    import('../hosting/index.ts'),
  ]);
  if (secret === null) {
    throw new StartError(
      'Set DARKROOM_SECRET to the one that the platform runs with: keys are hashed under it.',
    );
  }
  return openOperator(url, deriveKeys(secret).pepper);
}

/** Opens a running installation, found as by `openInstallation`, for questions about how it is doing. */
export async function openRunning(
  host: Host,
  flags: InstallationFlags,
): Promise<Operations & AsyncDisposable> {
  const [{ url }, { openOperations }] = await Promise.all([
    findInstallation(host, flags),
    import('../app.ts'),
  ]);
  return openOperations(url);
}

interface Found {
  /** The login of `darkroom_system`, which has just been let in. */
  readonly url: string;
  readonly secret: string | null;
}

async function findInstallation({ environment }: Host, { data }: InstallationFlags): Promise<Found> {
  const { config, secrets } = readConfig(environment);
  const [{ checkSystemLogin }, { readRunFile }] = await Promise.all([
    import('../app.ts'),
    import('../hosting/index.ts'),
  ]);
  if (config.database !== null && data === undefined) {
    const url = systemOf(config.database);
    await checkSystemLogin(url, { whose: 'DATABASE_SYSTEM_URL', advice: 'start it, or correct the setting' });
    return { url, secret: secrets.secret };
  }
  const folder = data ?? DEFAULT_DATA;
  const { database, secret } = await readRunFile(folder);
  const url = systemOf(database);
  const advice = 'the process that runs there says why; try again in a while';
  await checkSystemLogin(url, { whose: `the platform on ${folder}`, advice });
  return { url, secret };
}

function systemOf({ system }: DatabaseUrls): string {
  if (system !== undefined) return system;
  throw new StartError('Set DATABASE_SYSTEM_URL: commands for operators use the login of darkroom_system.');
}
