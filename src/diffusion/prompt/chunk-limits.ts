import type { Manifest } from '../../kernel/manifest.ts';

/**
 * Chunks of a prompt at most, which is 600 tokens of CLIP. Each one makes every call of the U-Net larger, by
 * 236 kB of hidden states in Stable Diffusion 1.5, twice that with guidance; and the more there are, the less any
 * of them says.
 */
const CHUNKS_MAX = 8;

export interface ChunkLimits {
  readonly min: number;
  readonly max: number;
}

/** How many chunks the U-Net takes: any number up to a bound, or exactly what its graph was built for. */
export function chunkLimits({ parts, tokensMax }: Manifest): ChunkLimits {
  const axes = Object.values(parts)
    .flatMap(({ inputs }) => inputs)
    .flatMap(({ name, shape }) => (name === 'encoder_hidden_states' ? [shape[1] ?? -1] : []));
  const built = axes.find((tokens) => tokens !== -1);
  if (built === undefined) return { min: 1, max: CHUNKS_MAX };
  const count = Math.max(1, Math.floor(built / tokensMax));
  return { min: count, max: count };
}
