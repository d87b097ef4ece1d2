import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/kernel/clock.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import type { LocalStore } from '../../src/platform/objects/index.ts';
import { openLocalStore } from '../../src/platform/objects/index.ts';

/** An empty store in a folder that goes with `stack`. */
export async function openFolderStore(
  stack: AsyncDisposableStack,
): Promise<{ readonly store: LocalStore; readonly directory: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'darkroom-objects-'));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const store = await openLocalStore({
    directory,
    baseUrl: () => 'http://127.0.0.1:1',
    signingKey: systemRandom.bytes(32),
    clock: systemClock,
    random: systemRandom,
  });
  return { store, directory };
}
