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

/** The model's own size, steps, scheduler and guidance, and no previews: the bare loop makes none either. */
const PROMPT = 'a red apple, blue background';

// One question for all jobs, so that asking costs the platform next to nothing.
const POLL_MS = 50;

const SUBMIT = `
  mutation Submit($input: JobSubmitInput!) {
    jobSubmit(input: $input) { job { id } userErrors { code message } }
  }`;
const LATEST = `
  query Latest { jobs(first: 100) { nodes { id state createdAt finishedAt } } }`;

/**
 * Draws one picture with each job over the API; resolves to the seconds from the first submit to the
 * last picture stored, on the database's clock. Rejects when a job does not succeed.
 */
export async function drawJobs(platform: ReadyLine, load: JobLoad): Promise<number> {
  const open = new Set<string>();
  const done: JobNode[] = [];
  let submitted = 0;
  const submit = async () => {
    submitted += 1;
    open.add(await submitJob(platform, submitted));
  };
  while (done.length < load.count) {
    const free = Math.min(load.inFlight - open.size, load.count - submitted);
    await Promise.all(Array.from({ length: free }, submit));
    await systemClock.sleep(POLL_MS, load.signal);
    const { jobs } = await ask<{ jobs: { nodes: readonly JobNode[] } }>(platform, LATEST);
    for (const job of jobs.nodes.filter(({ id, finishedAt }) => finishedAt !== null && open.has(id))) {
      if (job.state !== 'SUCCEEDED') throw new Error(`Job ${job.id} is ${job.state}.`);
      open.delete(job.id);
      done.push(job);
    }
  }
  const firstMs = Math.min(...done.map(({ createdAt }) => Date.parse(createdAt)));
  const lastMs = Math.max(...done.map(({ finishedAt }) => Date.parse(finishedAt ?? '')));
  return (lastMs - firstMs) / 1_000;
}

async function submitJob(platform: ReadyLine, seed: number): Promise<string> {
  const { jobSubmit } = await ask<{
    jobSubmit: { job: { id: string } | null; userErrors: readonly { message: string }[] };
  }>(platform, SUBMIT, { input: { prompt: PROMPT, seed: String(seed), previewEverySteps: 0 } });
  if (!jobSubmit.job) throw new Error(jobSubmit.userErrors.map(({ message }) => message).join(' '));
  return jobSubmit.job.id;
}
