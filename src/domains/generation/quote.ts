import type { Finding } from '../../diffusion/index.ts';
import { DomainError } from '../../kernel/errors.ts';
import type { Tx } from '../../platform/db/index.ts';
import { isServed } from '../fleet/index.ts';
import { readLoad } from '../operations/index.ts';
import type { Actor } from '../tenancy/index.ts';
import { requirePermission } from '../tenancy/index.ts';
import type { Appraisal, Work } from './appraise.ts';
import { appraise, refusalByQuota } from './appraise.ts';
import type { Choice } from './choose.ts';
import { choose } from './choose.ts';
import type { GenerationDeps } from './deps.ts';
import type { JobSubmission } from './job.ts';

/** What a submission would be answered and would cost; of one that can never run the numbers are null. */
export interface JobQuote {
  readonly evaluationsPerPicture: number | null;
  readonly credits: number | null;
  /**
   * From now until its pictures are drawn, of two digits: a tenant is not to read the others' work off it. Null when
   * nothing tells how fast that goes.
   */
  readonly etaMs: number | null;
  readonly findings: readonly Finding[];
  /** What a submit would be refused for. */
  readonly refusals: readonly DomainError[];
}

// An Int of GraphQL ends here, and a time of weeks is no promise anyway.
const ETA_MS_MAX = 2 ** 31 - 1;

/** Says what `submit` would say of the same submission, and writes nothing. */
export async function quote(
  deps: GenerationDeps,
  actor: Actor,
  submission: JobSubmission,
): Promise<JobQuote> {
  requirePermission(actor, 'JOBS_WRITE');
  const order = { actor, submission: { ...submission, idempotencyKey: null } };
  return deps.db.asTenant(actor.tenantId, async (tx) => {
    const choice = await choose(deps, tx, order);
    if (choice instanceof DomainError) return refusedVariant(choice);
    const appraisal = await appraise(deps, tx, { ...order, choice });
    const { findings, refusals, work } = appraisal;
    if (!work) return { ...NOTHING, findings, refusals };
    return {
      evaluationsPerPicture: work.run.totalSteps,
      credits: work.credits,
      etaMs: await estimate(tx, choice, work),
      findings,
      refusals: await withQuota(tx, actor, { ...appraisal, work }),
    };
  });
}

const NOTHING = {
  evaluationsPerPicture: null,
  credits: null,
  etaMs: null,
};

/** No change of input helps where files are missing: then there is no quote either. */
function refusedVariant(refusal: DomainError): JobQuote {
  if (refusal.code !== 'NOT_FOUND') throw refusal;
  return { ...NOTHING, findings: [], refusals: [refusal] };
}

/** As a submit goes on: it comes to the queue and the balance only when there is nothing else. */
async function withQuota(
  tx: Tx,
  { tenantId }: Actor,
  { plan, refusals, work: { credits } }: Appraisal & { readonly work: Work },
): Promise<readonly DomainError[]> {
  if (refusals.length > 0) return refusals;
  const refusal = await refusalByQuota(tx, tenantId, { plan, credits });
  return refusal ? [refusal] : [];
}

/** As if the fleet worked off what is open, in turn, at the pace that it has had, and then this. */
async function estimate(
  tx: Tx,
  { variant: { name, live } }: Choice,
  { run, recipe }: Work,
): Promise<number | null> {
  const { evaluationsAhead, evaluationsPerSecond } = await readLoad(tx);
  if (!evaluationsPerSecond || !(await isServed(tx, { model: name, version: live.number }))) return null;
  // In evaluations at the model's native size, as it is paid for: a larger picture takes longer.
  const own = run.costPerPicture * recipe.settings.imageCount;
  const ms = ((evaluationsAhead + own) / evaluationsPerSecond) * 1_000;
  return Math.min(roundUp(ms), ETA_MS_MAX);
}

/** To two digits, and to whole milliseconds below ten. */
function roundUp(ms: number): number {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(ms)) - 1);
  return Math.ceil(ms / unit) * unit;
}
