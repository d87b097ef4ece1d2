import type { Finding, GenerationPlan } from '../../diffusion/index.ts';
import { compilePlan, framePrompts, validate } from '../../diffusion/index.ts';
import { DomainError } from '../../kernel/errors.ts';
import type { Id } from '../../kernel/ids.ts';
import type { Tx } from '../../platform/db/index.ts';
import { priceOf, shortfallOf } from '../metering/index.ts';
import type { Plan } from '../tenancy/index.ts';
import { findPlanOf } from '../tenancy/index.ts';
import { checkPlan, checkSubmission } from './check-submission.ts';
import type { Choice, Order } from './choose.ts';
import type { GenerationDeps } from './deps.ts';
import type { Recipe } from './recipe.ts';
import { countOpenJobs } from './store.ts';

/** What a submission comes to. A quote and a submit both go by it, so that they cannot differ. */
export interface Appraisal {
  readonly plan: Plan;
  /** What was found in the settings, ERROR and WARNING; paths are those of the API's input. */
  readonly findings: readonly Finding[];
  /** What it is refused for, whatever else the tenant has; empty when nothing. */
  readonly refusals: readonly DomainError[];
  /** Null when it can never run. */
  readonly work: Work | null;
}

/** A job that can run, and its price. */
export interface Work {
  readonly recipe: Recipe;
  readonly run: GenerationPlan;
  readonly credits: number;
}

/** Judges and prices what was chosen; writes nothing. */
export async function appraise(
  deps: GenerationDeps,
  tx: Tx,
  order: Order & { readonly choice: Choice },
): Promise<Appraisal> {
  const { actor, submission, choice } = order;
  const { variant, settings } = choice;
  const { manifest, schedulerConfig } = variant.live;
  const plan = await planOf(tx, actor.tenantId);
  const findings = validate(manifest, schedulerConfig, settings, settings.samplerOptions);
  const impossible = checkSubmission(submission, { settings, findings });
  if (impossible.length > 0) return { plan, findings, refusals: impossible, work: null };
  // What the plan allows means nothing while the settings themselves are impossible.
  return { plan, findings, refusals: checkPlan(settings, plan), work: price(deps, order, findings) };
}

function price(
  deps: GenerationDeps,
  { actor, choice: { variant, settings } }: Order & { readonly choice: Choice },
  findings: readonly Finding[],
): Work {
  const { manifest, schedulerConfig } = variant.live;
  const recipe = freeze(deps, { variant, settings }, findings);
  const promptChunks = recipe.prompt.chunks.length;
  const options = settings.samplerOptions;
  const run = compilePlan({ manifest, schedulerConfig, settings, options, promptChunks });
  return {
    recipe,
    run,
    credits: priceOf(run.costPerPicture * settings.imageCount, actor.environment),
  };
}

/**
 * What keeps the tenant from one more job of this price now; null when nothing does. A submit holds the tenant's
 * submit lock, so that two of them cannot both take the last place or spend the last credit.
 */
export async function refusalByQuota(
  tx: Tx,
  tenantId: Id<'tenant'>,
  { plan: { queuedJobsMax }, credits }: { readonly plan: Plan; readonly credits: number },
): Promise<DomainError | null> {
  if ((await countOpenJobs(tx, tenantId)) < queuedJobsMax) return shortfallOf(tx, tenantId, credits);
  return new DomainError(
    'QUOTA_EXCEEDED',
    `Your plan allows ${queuedJobsMax} jobs at once. Wait for some to finish.`,
  );
}

function freeze(
  { platformVersion, tokenizers }: GenerationDeps,
  { variant, settings }: Choice,
  findings: readonly Finding[],
): Recipe {
  const tokenizer = tokenizers(variant.live.digest);
  if (!tokenizer) throw new Error(`The variant ${variant.name} was chosen without its files.`);
  return {
    platformVersion,
    variant: variant.name,
    versionDigest: variant.live.digest,
    settings,
    ...framePrompts(tokenizer, variant.live.manifest, settings),
    findings,
  };
}

async function planOf(tx: Tx, tenantId: Id<'tenant'>): Promise<Plan> {
  const plan = await findPlanOf(tx, tenantId);
  if (!plan) throw new Error(`Tenant ${tenantId} has no plan.`);
  return plan;
}
