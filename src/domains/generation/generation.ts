import type { Id } from '../../kernel/ids.ts';
import { parseId } from '../../kernel/ids.ts';
import type { Page } from '../../kernel/pages.ts';
import type { Actor } from '../tenancy/index.ts';
import { requirePermission } from '../tenancy/index.ts';
import { cancel } from './cancel.ts';
import type { GenerationDeps } from './deps.ts';
import type { Image, Job, JobSubmission } from './job.ts';
import type { ImageLink } from './links.ts';
import type { PageRequest } from './list.ts';
import { list } from './list.ts';
import { findJob, listImages } from './store.ts';
import type { PromptPreview, PromptPreviewRequest } from './preview-prompts.ts';
import { previewPrompts } from './preview-prompts.ts';
import type { JobQuote } from './quote.ts';
import { quote } from './quote.ts';
import { submit } from './submit.ts';

export type Generation = ReturnType<typeof createGeneration>;

/** Jobs and pictures, as a tenant sees them. */
export function createGeneration(deps: GenerationDeps) {
  const { db, links } = deps;
  return {
    /**
     * Queues a job. Rejects with INVALID_INPUT, NOT_FOUND (variant), CONFLICT (idempotency key),
     * QUOTA_EXCEEDED, or several of them as `DomainErrors`; then nothing has been written.
     */
    submit: (actor: Actor, submission: JobSubmission): Promise<Job> => submit(deps, actor, submission),

    /**
     * What `submit` would say of a submission, and what the job would cost; nothing is written, and an idempotency key
     * is ignored. Rejects with FORBIDDEN, and with UNAVAILABLE for a variant whose files this host lacks.
     */
    quote: (actor: Actor, submission: JobSubmission): Promise<JobQuote> => quote(deps, actor, submission),

    /**
     * How a variant reads the prompts of a job. Null for a variant that the actor may not use. Rejects with
     * FORBIDDEN, and with UNAVAILABLE for one whose files this host lacks.
     */
    previewPrompts: (actor: Actor, request: PromptPreviewRequest): Promise<PromptPreview | null> =>
      previewPrompts(deps, actor, request),

    /** Rejects with NOT_FOUND. */
    cancel: (actor: Actor, jobId: string): Promise<Job> => cancel(deps, actor, jobId),

    /** Null for a job that the actor has not. Rejects with FORBIDDEN. */
    async find(actor: Actor, jobId: string): Promise<Job | null> {
      requirePermission(actor, 'JOBS_READ');
      const id = parseId('job', jobId);
      return id && db.asTenant(actor.tenantId, (tx) => findJob(tx, actor.tenantId, id));
    },

    /** Newest first. Rejects with BAD_USER_INPUT for a page size out of range or a foreign cursor. */
    list: (actor: Actor, request: PageRequest): Promise<Page<Job>> => list(deps, actor, request),

    /** The finished pictures of several jobs at once, for lists of jobs. */
    async images(
      actor: Actor,
      jobIds: readonly Id<'job'>[],
    ): Promise<ReadonlyMap<Id<'job'>, readonly Image[]>> {
      requirePermission(actor, 'JOBS_READ');
      const images = await db.asTenant(actor.tenantId, (tx) => listImages(tx, actor.tenantId, jobIds));
      return Map.groupBy(images, (image) => image.jobId);
    },

    /** A link that anyone who has it can fetch the picture under until it ends; null for a picture that has expired. */
    pictureLink: async ({ id, format, objectKey, expiredAt }: Image): Promise<ImageLink | null> =>
      expiredAt === null ? links.link(objectKey, { filename: `${id}.${format.toLowerCase()}` }) : null,

    /** As `pictureLink`, for the small picture. */
    thumbnailLink: async ({ id, thumbnailKey, expiredAt }: Image): Promise<ImageLink | null> =>
      expiredAt === null ? links.link(thumbnailKey, { filename: `${id}-thumbnail.webp` }) : null,
  };
}
