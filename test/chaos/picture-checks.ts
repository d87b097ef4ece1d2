import type { Connection } from '../../src/platform/db/connect.ts';
import type { ObjectStore } from '../../src/platform/objects/index.ts';
import { decodePixels, levelsApart } from '../support/pixels.ts';
import type { Violation } from './violation.ts';

/** A job of a quiet run, and the ones of the run that ordered the same pictures. */
export interface Twins {
  readonly quietId: string;
  readonly jobIds: readonly string[];
}

export interface PictureFindings {
  readonly violations: readonly Violation[];
  /** Pictures that were compared with one of a quiet run. */
  readonly compared: number;
  /** Those of them whose pixels are not the same to the bit; none is further off than one of 255. */
  readonly close: number;
}

interface PictureRow {
  readonly job_id: string;
  readonly position: number;
  readonly format: string;
  readonly pixel_sha256: string;
  readonly object_key: string;
}

// How far two batches may be apart, of 255: sums of floats in another order.
const DIFFERENCE_MAX = 1;

/** Holds the pictures of jobs that were interrupted, moved and batched against those of jobs that ran alone. */
export async function checkPictures(
  admin: Connection,
  objects: Pick<ObjectStore, 'open'>,
  twins: readonly Twins[],
): Promise<PictureFindings> {
  const rows = await admin.query<PictureRow>(
    'select job_id, position, format, pixel_sha256, object_key from image order by job_id, position',
  );
  const byJob = Map.groupBy(rows, (row) => row.job_id);
  const violations: Violation[] = [];
  let compared = 0;
  let close = 0;
  for (const { quietId, jobIds } of twins) {
    for (const picture of jobIds.flatMap((id) => byJob.get(id) ?? [])) {
      const quiet = byJob.get(quietId)?.find(({ position }) => position === picture.position);
      const difference = await differenceOf(objects, picture, quiet);
      if (difference === null) continue;
      compared += 1;
      if (difference > 0) close += 1;
      if (difference <= DIFFERENCE_MAX) continue;
      const what = `picture ${picture.position} is ${difference}/255 off the one of ${quietId}, drawn alone`;
      violations.push({ invariant: 'output', subject: picture.job_id, what });
    }
  }
  return { violations, compared, close };
}

/** The largest difference of two pictures, 0 to 255; infinite when one is not there, null when nothing can be said. */
async function differenceOf(
  objects: Pick<ObjectStore, 'open'>,
  one: PictureRow,
  other: PictureRow | undefined,
): Promise<number | null> {
  if (other === undefined) return Infinity;
  if (one.pixel_sha256 === other.pixel_sha256) return 0;
  // What a lossy format makes of a difference says nothing about the difference.
  if (one.format !== 'PNG') return null;
  const [first, second] = await Promise.all([one, other].map((row) => pixelsOf(objects, row.object_key)));
  return first && second ? levelsApart(first, second) : Infinity;
}

async function pixelsOf(objects: Pick<ObjectStore, 'open'>, key: string): Promise<Buffer | null> {
  const opened = await objects.open(key);
  if (opened === null) return null;
  return (await decodePixels(Buffer.concat(await Array.fromAsync(opened.stream as AsyncIterable<Buffer>))))
    .data;
}
