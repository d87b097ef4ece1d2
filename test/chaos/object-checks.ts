import { createHash } from 'node:crypto';
import type { Connection } from '../../src/platform/db/connect.ts';
import type { ObjectStore } from '../../src/platform/objects/index.ts';
import type { Violation } from './violation.ts';

export interface ObjectFindings {
  readonly violations: readonly Violation[];
  /** Objects that no picture leads to: what attempts left behind that were cut off. */
  readonly orphans: readonly string[];
}

interface ImageRow {
  readonly job_id: string;
  readonly object_key: string;
  readonly thumbnail_key: string;
  readonly sha256: string;
  readonly bytes: number;
}

/** Holds every recorded picture against the file that is stored, and the files against the records. */
export async function checkObjects(
  admin: Connection,
  objects: Pick<ObjectStore, 'open' | 'list'>,
): Promise<ObjectFindings> {
  const images = await admin.query<ImageRow>(
    'select job_id, object_key, thumbnail_key, sha256, bytes from image',
  );
  const violations: Violation[] = [];
  for (const image of images) {
    for (const what of await complaintsOf(objects, image)) {
      violations.push({ invariant: 'output', subject: image.job_id, what });
    }
  }
  const known = new Set(images.flatMap((image) => [image.object_key, image.thumbnail_key]));
  if (known.size < images.length * 2) {
    violations.push({ invariant: 'output', subject: 'image', what: 'two pictures share a stored file' });
  }
  const listed = await Array.fromAsync(objects.list(''));
  return { violations, orphans: listed.map(({ key }) => key).filter((key) => !known.has(key)) };
}

async function complaintsOf(
  objects: Pick<ObjectStore, 'open'>,
  { object_key: key, thumbnail_key: thumbnailKey, sha256, bytes }: ImageRow,
): Promise<readonly string[]> {
  const [file, thumbnail] = await Promise.all([digestOf(objects, key), digestOf(objects, thumbnailKey)]);
  const complaints: string[] = [];
  if (file === null) complaints.push(`${key} is not stored`);
  else if (file.sha256 !== sha256 || file.size !== bytes) complaints.push(`${key} is not what was recorded`);
  if (thumbnail === null) complaints.push(`${thumbnailKey} is not stored`);
  return complaints;
}

// Of the bytes as they are read, not as the store remembers them.
async function digestOf(objects: Pick<ObjectStore, 'open'>, key: string) {
  const opened = await objects.open(key);
  if (opened === null) return null;
  const hash = createHash('sha256');
  for await (const chunk of opened.stream) hash.update(chunk as Buffer);
  return { size: opened.size, sha256: hash.digest('hex') };
}
