import type { Picture } from '../diffusion/index.ts';
import { decoderInput } from '../diffusion/index.ts';
import { EngineError } from './engines.ts';
import { inferPart } from './infer-part.ts';
import type { Rgb } from './pictures.ts';
import type { Run } from './run.ts';

/** Decodes latents to pixels: one row per picture. A preview is of no use to a job that is to stop. */
export async function decode(
  run: Run,
  pictures: readonly Picture[],
  { isPreview = false }: { readonly isPreview?: boolean } = {},
): Promise<readonly Rgb[]> {
  const { plan, version } = run;
  const latents = new Float32Array(pictures.length * plan.latentSize);
  for (const [index, picture] of pictures.entries()) {
    decoderInput(
      version.manifest,
      picture,
      latents.subarray(index * plan.latentSize, (index + 1) * plan.latentSize),
    );
  }
  const { width, height } = run.job.recipe.settings;
  const images = await inferPart(
    run,
    { part: 'vae_decoder', output: 'images', isWantedAnyway: !isPreview },
    { latents: { shape: [pictures.length, ...plan.latentShape], data: latents } },
  );
  const size = width * height * 3;
  if (!(images.data instanceof Uint8Array) || images.data.length !== pictures.length * size) {
    throw new EngineError('BAD_ANSWER', 'The decoder answered with pictures of another size.', {
      fault: 'node',
    });
  }
  const { data } = images;
  return pictures.map((_, index) => ({ width, height, data: data.slice(index * size, (index + 1) * size) }));
}
