import type { JobEvent, JobSubmitInput } from '../../src/client/index.ts';
import type { TestTenant } from './app.ts';

/** Cheap settings: a picture in a few steps. */
export const QUICK: JobSubmitInput = {
  prompt: 'a red apple, blue background',
  steps: 4,
  seed: '7',
  previewEverySteps: 0,
};

/** Every event of a job, to its end. */
export async function eventsOf(
  { client }: TestTenant,
  jobId: string,
  options: { readonly after?: number } = {},
): Promise<readonly JobEvent[]> {
  return Array.fromAsync(client.followJob(jobId, options));
}

/**
 * What stays the same of events however often they are asked for: the links to their pictures are signed
 * anew each time, and expire later.
 */
export function lasting(events: readonly JobEvent[]): readonly object[] {
  return events.map(({ image, ...event }) => ({
    ...event,
    image: image && {
      ...image,
      url: image.url && new URL(image.url).pathname,
      thumbnailUrl: image.thumbnailUrl && new URL(image.thumbnailUrl).pathname,
      urlExpiresAt: null,
    },
  }));
}

/** Submits a job, waits for its end and returns it with its events. */
export async function runJob(tenant: TestTenant, input: JobSubmitInput) {
  const { id } = await tenant.client.submitJob(input);
  const events = await eventsOf(tenant, id);
  const job = await tenant.client.job(id);
  if (!job) throw new Error(`Job ${id} is gone.`);
  return { job, events };
}

/** Follows a job until an event of `type`, and returns it. */
export async function waitForEvent(
  { client }: TestTenant,
  jobId: string,
  type: JobEvent['type'],
): Promise<JobEvent> {
  for await (const event of client.followJob(jobId)) if (event.type === type) return event;
  throw new Error(`Job ${jobId} ended without ${type}.`);
}
