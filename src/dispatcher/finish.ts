import type { Image, OutputFormat } from '../domains/generation/index.ts';
import { toImageKeys } from '../domains/generation/index.ts';
import type { Picture } from '../diffusion/index.ts';
import { judgePicture } from '../diffusion/index.ts';
import type { Reach } from '../kernel/fault-points.ts';
import type { NewId } from '../kernel/ids.ts';
import type { BlobStore } from './blobs.ts';
import { BlobError } from './blobs.ts';
import { decode } from './decode.ts';
import type { PictureCheckDeps } from './picture-check.ts';
import { answerFor } from './picture-check.ts';
import type { Pictures, Rgb } from './pictures.ts';
import type { Run } from './run.ts';
import { Interrupted } from './run.ts';

export interface FinishDeps extends PictureCheckDeps {
  readonly blobs: BlobStore;
  readonly pictures: Pictures;
  readonly newId: NewId;
  readonly reach: Reach;
}

const EXTENSION: Readonly<Record<OutputFormat, string>> = { PNG: 'png', JPEG: 'jpg', WEBP: 'webp' };

/**
 * Decodes, judges, encodes and stores a finished job's pictures. Nothing is told of them before `complete`, and
 * nothing stored when one of them is no picture.
 */
export async function finish(
  run: Run,
  deps: FinishDeps,
  pictures: readonly Picture[],
): Promise<readonly Image[]> {
  deps.reach('dispatcher.denoised');
  const pixels = await decode(run, pictures);
  for (const [index, rgb] of pixels.entries()) judge(run, deps, { picture: pictures[index], rgb });
  const images = await Promise.all(pixels.map((rgb, index) => store(run, deps, { rgb, index })));
  deps.reach('dispatcher.stored');
  return images;
}

function judge(
  run: Run,
  deps: FinishDeps,
  { picture, rgb }: { picture: Picture | undefined; rgb: Rgb },
): void {
  if (picture) answerFor(run, deps, judgePicture(run.plan, { latents: picture.latents, pixels: rgb }));
}

async function store(
  run: Run,
  deps: FinishDeps,
  { rgb, index }: { rgb: Rgb; index: number },
): Promise<Image> {
  const { tenantId, id: jobId, fence, recipe } = run.job;
  const format = recipe.settings.outputFormat;
  const id = deps.newId('image');
  const [file, thumbnail] = await Promise.all([
    deps.pictures.encode(rgb, format),
    deps.pictures.thumbnail(rgb),
  ]);
  const extension = EXTENSION[format];
  const { objectKey, thumbnailKey } = toImageKeys({ tenantId, jobId, fence }, { id, extension });
  await putBlob(run, deps.blobs, { key: objectKey, ...file });
  await putBlob(run, deps.blobs, { key: thumbnailKey, ...thumbnail });
  return {
    id,
    tenantId,
    jobId,
    index,
    width: rgb.width,
    height: rgb.height,
    seed: run.plan.seeds[index] ?? recipe.settings.seed,
    format,
    bytes: file.bytes.length,
    sha256: file.sha256,
    pixelSha256: file.pixelSha256,
    objectKey,
    thumbnailKey,
    expiredAt: null,
  };
}

interface NewBlob {
  readonly key: string;
  readonly bytes: Uint8Array;
  readonly contentType: string;
}

async function putBlob(run: Run, blobs: BlobStore, { key, bytes, contentType }: NewBlob): Promise<void> {
  const { signal } = run.stopped;
  try {
    await blobs.put(key, bytes, { contentType, signal });
  } catch (error) {
    // A dispatcher that ends does not wait for the store: the job goes back to the queue, and no attempt is counted.
    if (error instanceof BlobError && run.interruption === 'STOPPING') throw new Interrupted('STOPPING');
    throw error;
  }
}
