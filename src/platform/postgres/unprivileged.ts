import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { messageOf, StartError } from '../../kernel/errors.ts';

/** How to start a program so that it does not see itself as root. */
export interface Launcher {
  readonly command: (program: string, args: readonly string[]) => readonly [string, readonly string[]];
}

export interface LauncherOptions {
  /** The user that this process runs as; 0 is root, undefined a system without users. */
  readonly uid: number | undefined;
  /** The program that makes user namespaces. */
  readonly unshare?: string;
}

const direct: Launcher = { command: (program, args) => [program, args] };

// Any number but 0 does: it is what Postgres sees, while on disk everything stays root's.
const INSIDE_UID = 1000;
const PROBE_TIMEOUT_MS = 10_000;
const run = promisify(execFile);

/**
 * Returns a launcher for Postgres, which refuses to run as root: as root it runs in a user namespace
 * where this user has another number. No user is made, files stay the caller's, and folders that only
 * root may enter (a clone below `/root`) can be read, which another user could not.
 *
 * `unshare` replaces itself by the program, so the process id and signals are the program's own.
 * Rejects with a `StartError` where namespaces are refused.
 */
export async function findLauncher({ uid, unshare = 'unshare' }: LauncherOptions): Promise<Launcher> {
  if (uid !== 0) return direct;
  const flags = ['-U', `--map-user=${INSIDE_UID}`, `--map-group=${INSIDE_UID}`];
  try {
    await run(unshare, [...flags, 'true'], { timeout: PROBE_TIMEOUT_MS });
  } catch (cause) {
    throw new StartError(
      'Postgres does not run as root, and this machine refuses the user namespace that would hide it ' +
        `(${lastLine(messageOf(cause))}). Start darkroom as a user other than root, or allow user namespaces ` +
        '(util-linux 2.38 or later, sysctl user.max_user_namespaces above 0), ' +
        'or point DATABASE_URL and its siblings at a Postgres of your own.',
      { cause },
    );
  }
  return { command: (program, args) => [unshare, [...flags, program, ...args]] };
}

// The first says which command failed, the last what the system answered.
function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? text;
}
