import type { PromptReading, Tokenizer, WeightedToken } from '../../diffusion/index.ts';
import { chunkLimits, readPrompt, resolveSettings, validate } from '../../diffusion/index.ts';
import { DomainError } from '../../kernel/errors.ts';
import type { Id } from '../../kernel/ids.ts';
import type { Variant } from '../catalog/index.ts';
import { resolveVariant } from '../catalog/index.ts';
import type { Actor } from '../tenancy/index.ts';
import { requirePermission } from '../tenancy/index.ts';
import { refusalOf } from './check-submission.ts';
import type { GenerationDeps } from './deps.ts';
import type { JobSubmission } from './job.ts';

export type PromptPreviewRequest = Pick<JobSubmission, 'prompt' | 'negativePrompt' | 'variantId'>;

/** How a variant reads the prompts of a job. */
export interface PromptPreview {
  readonly variantId: Id<'variant'>;
  readonly prompt: PreviewedPrompt;
  readonly negativePrompt: PreviewedPrompt;
  /** Of a guided job. */
  readonly chunkCount: number;
  readonly chunksMax: number;
  /** What a submission would be refused for, as far as its prompts go. */
  readonly refusals: readonly DomainError[];
}

interface PreviewedPrompt {
  readonly tokenCount: number;
  readonly chunks: readonly { readonly tokens: readonly PreviewedToken[] }[];
  readonly truncatedTokenCount: number;
  /** Null when nothing is cut. */
  readonly truncatedText: string | null;
}

interface PreviewedToken extends WeightedToken {
  readonly text: string;
  readonly endsWord: boolean;
}

/** Null for a variant that the actor may not use. */
export async function previewPrompts(
  deps: GenerationDeps,
  actor: Actor,
  request: PromptPreviewRequest,
): Promise<PromptPreview | null> {
  requirePermission(actor, 'VARIANTS_READ');
  const variant = await findVariant(deps, actor, request.variantId ?? null);
  const tokenizer = variant && deps.tokenizers(variant.live.digest);
  return tokenizer && preview(variant, tokenizer, request);
}

async function findVariant(
  { db, tokenizers }: GenerationDeps,
  { tenantId }: Actor,
  id: string | null,
): Promise<Variant | null> {
  try {
    const isUsable = ({ live }: Variant) => tokenizers(live.digest) !== null;
    return await db.asTenant(tenantId, (tx) => resolveVariant(tx, tenantId, { id, isUsable }));
  } catch (error) {
    if (error instanceof DomainError && error.code === 'NOT_FOUND') return null;
    throw error;
  }
}

function preview(
  { id, live: { manifest, schedulerConfig } }: Variant,
  tokenizer: Tokenizer,
  { prompt, negativePrompt }: PromptPreviewRequest,
): PromptPreview {
  const settings = resolveSettings(manifest, { prompt, negativePrompt, seed: 0n });
  const findings = validate(manifest, schedulerConfig, settings).filter(
    ({ severity, field: [field] }) =>
      severity === 'ERROR' && (field === 'prompt' || field === 'negativePrompt'),
  );
  const { min, max } = chunkLimits(manifest);
  const read = (field: 'prompt' | 'negativePrompt'): PromptReading => {
    const isTooLong = findings.some((each) => each.code === 'PROMPT_TOO_LONG' && each.field[0] === field);
    return readPrompt(tokenizer, isTooLong ? '' : settings[field], max);
  };
  const [positive, negative] = [read('prompt'), read('negativePrompt')];
  return {
    variantId: id,
    prompt: spell(tokenizer, positive),
    negativePrompt: spell(tokenizer, negative),
    chunkCount: Math.max(min, positive.chunks.length, negative.chunks.length),
    chunksMax: max,
    refusals: findings.map(refusalOf),
  };
}

function spell(tokenizer: Tokenizer, { chunks, tokenCount, truncated }: PromptReading): PreviewedPrompt {
  const words = truncated.map(({ id }) => tokenizer.spell(id));
  const text = words.map((word) => (word.endsWord ? `${word.text} ` : word.text)).join('');
  return {
    tokenCount,
    chunks: chunks.map((chunk) => ({
      tokens: chunk.map((token) => ({ ...token, ...tokenizer.spell(token.id) })),
    })),
    truncatedTokenCount: truncated.length,
    truncatedText: truncated.length === 0 ? null : text.trimEnd(),
  };
}
