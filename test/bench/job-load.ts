import { systemClock } from '../../src/kernel/clock.ts';
import type { ReadyLine } from '../support/platform.ts';
import { ask } from '../support/platform.ts';

export interface JobLoad {
  readonly count: number;
  /** How many are under way at any time. */
  readonly inFlight: number;
  readonly signal: AbortSignal;
}

interface JobNode {
  readonly id: string;
  readonly state: string;
  readonly createdAt: string;
  readonly finishedAt: string | null;
}

/** The model's own size, steps, scheduler and guidance, and no previews: the references make none either. */
export const PROMPT = 'a red apple, blue background';

// Asking costs the platform work of its own, which is not what is measured: one question for all jobs
// under way, and seldom beside the seconds that a picture takes with ten at a time.
const POLL_MS = 100;
const PAGE = 100;

const SUBMIT = `
  mutation Submit($input: JobSubmitInput!) {
    jobSubmit(input: $input) { job { id } userErrors { code message } }
  }`;
const UNDER_WAY = `
  query UnderWay($first: Int!) {
    jobs(first: $first, filter: { states: [QUEUED, RUNNING] }) { nodes { id } }
  }`;
const ENDED = `
  query Ended($first: Int!, $after: String) {
    jobs(first: $first, after: $after) {
      nodes { id state createdAt finishedAt }
      pageInfo { endCursor hasNextPage }
    }
  }`;

/**
 * Draws one picture with each job over the API; resolves to the seconds from the first submit to the
 * last picture stored, on the database's clock. Rejects when a job does not succeed.
 */
export async function drawJobs(platform: ReadyLine, load: JobLoad): Promise<number> {
  const open = new Set<string>();
  const drawn = new Set<string>();
  while (drawn.size < load.count) {
    const free = Math.min(load.inFlight - open.size, load.count - open.size - drawn.size);
    const submits = Array.from({ length: free }, (_, at) => submitJob(platform, drawn.size + open.size + at));
    for (const id of await Promise.all(submits)) open.add(id);
    await systemClock.sleep(POLL_MS, load.signal);
    const underWay = await readUnderWay(platform, load.inFlight);
    for (const id of [...open].filter((each) => !underWay.has(each))) {
      open.delete(id);
      drawn.add(id);
    }
  }
  const jobs = await readEnded(platform, drawn);
  const failed = jobs.find(({ state }) => state !== 'SUCCEEDED');
  if (failed) throw new Error(`Job ${failed.id} is ${failed.state}.`);
  const firstMs = Math.min(...jobs.map(({ createdAt }) => Date.parse(createdAt)));
  const lastMs = Math.max(...jobs.map(({ finishedAt }) => Date.parse(finishedAt ?? '')));
  return (lastMs - firstMs) / 1_000;
}

async function readUnderWay(platform: ReadyLine, first: number): Promise<ReadonlySet<string>> {
  const { jobs } = await ask<{ jobs: { nodes: readonly { id: string }[] } }>(platform, UNDER_WAY, { first });
  return new Set(jobs.nodes.map(({ id }) => id));
}

interface JobPage {
  readonly nodes: readonly JobNode[];
  readonly pageInfo: { readonly endCursor: string | null; readonly hasNextPage: boolean };
}

/** The jobs of `ids`, all of which have ended; pages back from the newest until each has been found. */
async function readEnded(platform: ReadyLine, ids: ReadonlySet<string>): Promise<readonly JobNode[]> {
  const found: JobNode[] = [];
  let after: string | null = null;
  while (found.length < ids.size) {
    const page: JobPage = (await ask<{ jobs: JobPage }>(platform, ENDED, { first: PAGE, after })).jobs;
    found.push(...page.nodes.filter(({ id }) => ids.has(id)));
    if (!page.pageInfo.hasNextPage) break;
    after = page.pageInfo.endCursor;
  }
  if (found.length < ids.size) throw new Error(`${ids.size - found.length} jobs are on no page.`);
  return found;
}

async function submitJob(platform: ReadyLine, seed: number): Promise<string> {
  const { jobSubmit } = await ask<{
    jobSubmit: { job: { id: string } | null; userErrors: readonly { message: string }[] };
  }>(platform, SUBMIT, { input: { prompt: PROMPT, seed: String(seed), previewEverySteps: 0 } });
  if (!jobSubmit.job) throw new Error(jobSubmit.userErrors.map(({ message }) => message).join(' '));
  return jobSubmit.job.id;
}
