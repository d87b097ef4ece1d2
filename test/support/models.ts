import { cp } from 'node:fs/promises';
import { join } from 'node:path';

/** The bundles of the repository. */
export const MODELS = join(import.meta.dirname, '../../deploy/models');

/** Copies one bundle alone to `folder`, for a node that starts sooner than one that serves them all. */
export async function copyPico(folder: string): Promise<string> {
  await cp(join(MODELS, 'pico'), join(folder, 'pico'), { recursive: true });
  return folder;
}
