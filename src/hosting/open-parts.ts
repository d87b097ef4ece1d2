import { StartError } from '../kernel/errors.ts';
import type { DataFolder } from './data-folder.ts';
import { openDataFolder } from './data-folder.ts';
import { hostEphemeral, hostFolder } from './host-parts.ts';
import { joinFolder } from './join-parts.ts';
import type { Parts, PartsOptions } from './parts.ts';
import { findRunFile, takeFolder } from './run-file.ts';

const WAIT_MS = 60_000;
const POLL_MS = 100;

/**
 * Opens what the platform stands on: the first process on a data folder hosts it, every later one joins
 * the host, and takes its place when it ends before the join. Rejects with a `StartError` that says what
 * to do, also when the host is not ready within a minute, and with the reason of `signal`.
 */
export async function openParts(options: PartsOptions): Promise<Parts> {
  const { dataDirectory, random, clock, signal, say } = options;
  if (dataDirectory === null) return hostEphemeral(options);
  const folder = await openDataFolder(dataDirectory, random);
  const deadlineMs = clock.monotonicMs() + WAIT_MS;
  for (let isFirst = true; ; isFirst = false) {
    const taken = await takeFolder(folder);
    if (taken) return hostFolder(options, folder, taken);
    const parts = await tryToJoin(options, folder);
    if (parts) return parts;
    if (isFirst) say(`waiting for the process that runs on ${folder.path} to be ready`);
    if (clock.monotonicMs() >= deadlineMs) throw notReady(folder);
    await clock.sleep(POLL_MS, signal);
  }
}

async function tryToJoin(options: PartsOptions, folder: DataFolder): Promise<Parts | null> {
  const run = await findRunFile(folder.path);
  if (!run) return null;
  const parts = await joinFolder(options, folder, run);
  if (parts) options.say(`joining process ${run.pid} on ${folder.path}`);
  return parts;
}

function notReady({ path }: DataFolder): StartError {
  return new StartError(
    `Another process runs on the data folder ${path}, and its database did not answer within ${WAIT_MS / 1000} s. ` +
      'See what it says, or stop it and start again.',
  );
}
