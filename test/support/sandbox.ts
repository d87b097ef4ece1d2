import { chmod, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A corner of the disk for programs of one test: what they leave anywhere but in it was not asked for. */
export interface Sandbox extends AsyncDisposable {
  /** Only its owner may enter it. */
  readonly path: string;
  /** Where programs run. */
  readonly cwd: string;
  /** All that programs see of the environment: a path, and a home and a temporary folder in here. */
  readonly env: Readonly<Record<string, string>>;
  /** Absolute path of something in it. */
  at(...names: readonly string[]): string;
  /** What stands in the home, in the temporary folder and where programs run. */
  leftovers(): Promise<readonly string[]>;
}

/** Makes a sandbox below the system's temporary folder; disposing removes it with all that is in it. */
export async function createSandbox(): Promise<Sandbox> {
  const path = await mkdtemp(join(tmpdir(), 'darkroom-e2e-'));
  await chmod(path, 0o700);
  const at = (...names: readonly string[]) => join(path, ...names);
  const watched = [at('home'), at('tmp'), at('work')];
  for (const folder of watched) await mkdir(folder);
  return {
    path,
    cwd: at('work'),
    env: { PATH: process.env.PATH ?? '', HOME: at('home'), TMPDIR: at('tmp') },
    at,
    leftovers: async () => (await Promise.all(watched.map((folder) => readdir(folder)))).flat(),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}
