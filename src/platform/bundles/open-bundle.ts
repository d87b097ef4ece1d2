import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { messageOf, StartError } from '../../kernel/errors.ts';
import type { Manifest } from '../../kernel/manifest.ts';
import { parseManifest } from '../../kernel/manifest.ts';

/** A bundle on disk whose files have been found to be what its manifest says. */
export interface Bundle {
  /** Absolute path of the bundle's folder. */
  readonly directory: string;
  readonly manifest: Manifest;
  /** sha256 in hex over the manifest's text, and so over every file that it names. */
  readonly digest: string;
  /** Absolute path of a part's graph; its weights lie beside it. Throws when there is no such part. */
  partPath(part: string): string;
}

/**
 * Opens every bundle below `directory` (each folder with a `manifest.json`), sorted by name.
 * Rejects with a `StartError` that names the file when one is missing, damaged or not a manifest.
 */
export async function openBundles(directory: string): Promise<readonly Bundle[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch((error: unknown) => {
    throw new StartError(
      `The models folder ${directory} cannot be read: ${messageOf(error)}. Point --models at a folder of bundles.`,
    );
  });
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  const bundles = await Promise.all(names.toSorted().map((name) => openBundle(join(directory, name))));
  if (bundles.length === 0)
    throw new StartError(
      `The models folder ${directory} holds no bundle. Point --models at a folder of bundles.`,
    );
  return bundles;
}

/** Opens one bundle and checks the digest of every file that its manifest lists. */
export async function openBundle(path: string): Promise<Bundle> {
  const directory = resolve(path);
  const file = join(directory, 'manifest.json');
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new StartError(`${file} cannot be read: ${messageOf(error)}. A bundle needs its manifest.`);
  });
  const manifest = parse(file, text);
  for (const [name, digest] of Object.entries(manifest.digests))
    await checkDigest(join(directory, name), digest);
  return {
    directory,
    manifest,
    digest: createHash('sha256').update(text).digest('hex'),
    partPath(part) {
      const spec = manifest.parts[part];
      if (!spec) throw new StartError(`${file} has no part ${part}.`);
      return resolve(directory, spec.file);
    },
  };
}

function parse(file: string, text: string): Manifest {
  try {
    return parseManifest(JSON.parse(text));
  } catch (error) {
    const reason = error instanceof z.ZodError ? z.prettifyError(error) : messageOf(error);
    throw new StartError(`${file} is not a manifest: ${reason}`);
  }
}

async function checkDigest(file: string, expected: string): Promise<void> {
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(file), hash);
  } catch (error) {
    throw new StartError(
      `The model file ${file} cannot be read: ${messageOf(error)}. Restore it from the repository.`,
    );
  }
  if (hash.digest('hex') !== expected) {
    throw new StartError(
      `The model file ${file} is damaged: its sha256 is not the one in the manifest. Restore it from the repository.`,
    );
  }
}
