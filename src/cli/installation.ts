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
 * external one of the environment (DATABASE_SYSTEM_URL, with DARKROOM_SECRET).
 */
export async function openInstallation(
  { environment }: Host,
  { data }: InstallationFlags,
): Promise<Operator> {
  const { config, secrets } = readConfig(environment);
  const [{ openOperator }, { deriveKeys, readRunFile }] = await Promise.all([
    import('../app.ts'),
    import('../hosting/index.ts'),
  ]);
  if (config.database === null || data !== undefined) {
    const { database, secret } = await readRunFile(data ?? DEFAULT_DATA);
    return openOperator(systemOf(database), deriveKeys(secret).pepper);
  }
  const system = systemOf(config.database);
  if (secrets.secret === null) {
    throw new StartError(
      'Set DARKROOM_SECRET to the one that the platform runs with: keys are hashed under it.',
    );
  }
  return openOperator(system, deriveKeys(secrets.secret).pepper);
}

/** Opens a running installation, found as by `openInstallation`, for questions about how it is doing. */
export async function openRunning(
  { environment }: Host,
  { data }: InstallationFlags,
): Promise<Operations & AsyncDisposable> {
  const { config } = readConfig(environment);
  const [{ openOperations }, { readRunFile }] = await Promise.all([
    import('../app.ts'),
    import('../hosting/index.ts'),
  ]);
  if (config.database !== null && data === undefined) return openOperations(systemOf(config.database));
  const { database } = await readRunFile(data ?? DEFAULT_DATA);
  return openOperations(systemOf(database));
}

function systemOf({ system }: DatabaseUrls): string {
  if (system !== undefined) return system;
  throw new StartError('Set DATABASE_SYSTEM_URL: commands for operators use the login of darkroom_system.');
}
