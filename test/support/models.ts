import { cp } from 'node:fs/promises';
import { join } from 'node:path';

/** The bundles of the repository. */
export const MODELS = join(import.meta.dirname, '../../deploy/models');

/** Copies pico to `folder` under a name: the bundle, and not what it is trained with, which is larger. */
export async function copyPico(folder: string, name = 'pico'): Promise<string> {
  const training = join(MODELS, 'pico', 'train');
  const filter = (source: string) => source !== training;
  await cp(join(MODELS, 'pico'), join(folder, name), { recursive: true, filter });
  return folder;
}
