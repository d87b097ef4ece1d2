import { resolveSettings } from '../../diffusion/index.ts';
import { DomainError } from '../../kernel/errors.ts';
import { unitInterval } from '../../kernel/random.ts';
import type { Tx } from '../../platform/db/index.ts';
import type { Variant } from '../catalog/index.ts';
import { resolveVariant } from '../catalog/index.ts';
import type { Actor } from '../tenancy/index.ts';
import type { GenerationDeps } from './deps.ts';
import type { JobSettings, JobSubmission } from './job.ts';
import { listedSteps, settleOptions } from './sampler-options.ts';

const PREVIEW_EVERY_STEPS = 5;

/** What an actor asks for. */
export interface Order {
  readonly actor: Actor;
  readonly submission: JobSubmission;
}

/** What a submission comes to once everything that it left open is settled. */
export interface Choice {
  readonly variant: Variant;
  readonly settings: JobSettings;
}

/** Returns the refusal of a variant, for a repeated request is answered all the same. */
export async function choose(
  deps: GenerationDeps,
  tx: Tx,
  { actor, submission }: Order,
): Promise<Choice | DomainError> {
  try {
    const variant = await resolveVariant(tx, actor.tenantId, {
      id: submission.variantId ?? null,
      isUsable: ({ live }) => deps.tokenizers(live.digest) !== null,
    });
    return { variant, settings: chooseSettings(deps, variant, submission) };
  } catch (error) {
    if (error instanceof DomainError) return error;
    throw error;
  }
}

function chooseSettings(deps: GenerationDeps, variant: Variant, submission: JobSubmission): JobSettings {
  const samplerOptions = settleOptions(submission.samplerOptions);
  const steps = submission.steps ?? listedSteps(samplerOptions);
  const seed = submission.seed ?? randomSeed(deps);
  return {
    ...resolveSettings(variant.live.manifest, { ...submission, steps, seed }),
    samplerOptions,
    previewEverySteps: submission.previewEverySteps ?? PREVIEW_EVERY_STEPS,
    outputFormat: submission.outputFormat ?? 'PNG',
  };
}

/** 32 random bits: all that the noise generator reads of a seed, and short enough to type again. */
function randomSeed({ random }: GenerationDeps): bigint {
  return BigInt(Math.floor(unitInterval(random) * 2 ** 32));
}
