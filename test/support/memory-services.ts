import { EventEmitter, once } from 'node:events';
import { describeScheduler, SCHEDULER_NAMES } from '../../src/diffusion/index.ts';
import type { Variant } from '../../src/domains/catalog/index.ts';
import type {
  Finding,
  Image,
  Job,
  JobEvent,
  JobSettings,
  JobSubmission,
} from '../../src/domains/generation/index.ts';
import { isFinal } from '../../src/domains/generation/index.ts';
import type { Actor, Permission } from '../../src/domains/tenancy/index.ts';
import { PERMISSIONS, requirePermission } from '../../src/domains/tenancy/index.ts';
import type { Services } from '../../src/graphql/index.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { DomainError, DomainErrors } from '../../src/kernel/errors.ts';
import type { Id } from '../../src/kernel/ids.ts';
import { createIds } from '../../src/kernel/ids.ts';
import { systemRandom } from '../../src/kernel/random.ts';

const newId = createIds(systemClock, systemRandom);

/** What a test sees and moves behind the API's doors. */
export interface MemoryServices {
  readonly services: Services;
  /** Makes a tenant and returns the value of its `Authorization` header. */
  addTenant(permissions?: readonly Permission[]): string;
  revoke(authorization: string): void;
  /** Makes a queued job with its first event. */
  addJob(authorization: string): Job;
  /** Appends an event; one that is terminal ends the streams of the job. */
  emit(jobId: string, type: JobEvent['type']): void;
  /** From now on every look-up of a job throws this, until null. */
  breakWith(error: unknown): void;
  /** Calls of the services that work on jobs, so that a test can tell that nothing ran. */
  readonly calls: readonly string[];
  /** Streams that have been started and not ended. */
  readonly following: number;
}

interface MemoryJob {
  job: Job;
  readonly events: JobEvent[];
  readonly rings: EventEmitter;
}

const TERMINAL: ReadonlySet<JobEvent['type']> = new Set(['COMPLETED', 'FAILED', 'CANCELLED']);

const variant: Variant = {
  id: newId('variant'),
  ownerId: newId('tenant'),
  name: 'pico',
  family: 'PICO',
  visibility: 'PUBLIC',
  createdAt: new Date(0),
  live: {
    id: newId('version'),
    number: 1,
    digest: 'd1',
    manifest: {
      nativeSize: 128,
      sizeMultiple: 32,
      tokensMax: 77,
      clipSkip: { 1: 'hidden_states' } as Readonly<Record<string, string>>,
      defaults: { scheduler: 'EULER_DISCRETE', sigmaSchedule: 'DEFAULT', steps: 25, guidanceScale: 4 },
    } as Variant['live']['manifest'],
    schedulerConfig: {} as Variant['live']['schedulerConfig'],
  },
};

/** Services that keep everything in memory and refuse what the real ones refuse, for tests of the doors alone. */
export function createMemoryServices(): MemoryServices {
  const actors = new Map<string, Actor>();
  const jobs = new Map<string, MemoryJob>();
  const calls: string[] = [];
  let fault: unknown = null;
  let following = 0;

  const actorOf = (authorization: string | null): Actor => {
    const actor = actors.get(authorization ?? '');
    if (!actor) throw new DomainError('UNAUTHENTICATED', 'A valid API key is needed.');
    return actor;
  };

  const own = (actor: Actor, id: string): MemoryJob | null => {
    if (fault !== null) throw fault;
    const found = jobs.get(id);
    return found?.job.tenantId === actor.tenantId ? found : null;
  };

  const append = ({ job, events, rings }: MemoryJob, type: JobEvent['type']) => {
    events.push({
      jobId: job.id,
      sequence: events.length + 1,
      type,
      at: new Date(0),
      step: null,
      totalSteps: job.totalSteps,
      preview: null,
      image: type === 'IMAGE' ? imageOf(job) : null,
      error: null,
    });
    rings.emit('ring');
  };

  const add = (actor: Actor, submission: JobSubmission): Job => {
    const added = { job: jobOf(actor, submission), events: [], rings: new EventEmitter().setMaxListeners(0) };
    jobs.set(added.job.id, added);
    append(added, 'QUEUED');
    return added.job;
  };

  async function* stream({ events, rings }: MemoryJob, after: number, signal: AbortSignal) {
    following += 1;
    try {
      for (let next = after; !signal.aborted;) {
        const event = events[next];
        if (!event) {
          await once(rings, 'ring', { signal }).catch(() => undefined);
          continue;
        }
        yield event;
        if (TERMINAL.has(event.type)) return;
        next += 1;
      }
    } finally {
      following -= 1;
    }
  }

  const services: Services = {
    access: { authenticate: async (authorization) => actorOf(authorization) },
    tenants: {
      async viewer(actor) {
        const createdAt = new Date(0);
        const tenant = {
          id: actor.tenantId,
          name: 'A tenant',
          slug: 'a',
          state: 'ACTIVE' as const,
          retentionDays: null,
          createdAt,
        };
        const permissions = [...actor.permissions];
        const key = {
          id: actor.keyId,
          name: 'A key',
          prefix: 'dk_live_a',
          last4: 'zzzz',
          permissions,
          createdAt,
        };
        const plan = {
          id: newId('plan'),
          name: 'standard',
          queuedJobsMax: 10,
          megapixelsMax: 4,
          stepsMax: 150,
        };
        return { tenant, plan, key: { ...key, environment: actor.environment } };
      },
    },
    metering: { balance: async () => 100 },
    catalog: {
      list: async () => [variant],
      find: async (_actor, id) => (id === variant.id ? variant : null),
      schedulers: () => SCHEDULER_NAMES.map(describeScheduler),
      fits: () =>
        SCHEDULER_NAMES.map((name) => ({ scheduler: describeScheduler(name), findings: [FINDING] })),
    },
    generation: {
      async submit(actor, submission) {
        calls.push('submit');
        const refusals = refusalsOf(submission);
        if (refusals.length > 0) throw new DomainErrors(refusals);
        return add(actor, submission);
      },
      async quote(_actor, submission) {
        calls.push('quote');
        const refusals = refusalsOf(submission);
        const isFine = refusals.length === 0;
        return {
          evaluationsPerPicture: isFine ? 25 : null,
          credits: isFine ? 25 : null,
          etaMs: isFine ? 1_000 : null,
          findings: isFine ? [FINDING] : [],
          refusals,
        };
      },
      async cancel(actor, jobId) {
        calls.push('cancel');
        const found = own(actor, jobId);
        if (!found) throw new DomainError('NOT_FOUND', 'There is no such job.', { field: ['jobId'] });
        if (!isFinal(found.job.state)) found.job = { ...found.job, state: 'CANCELLED' };
        return found.job;
      },
      async find(actor, jobId) {
        calls.push('find');
        return own(actor, jobId)?.job ?? null;
      },
      async list(actor, { first }) {
        calls.push('list');
        if (first < 1 || first > 100)
          throw new DomainError('BAD_USER_INPUT', '"first" must lie between 1 and 100.');
        const nodes = [...jobs.values()].flatMap(({ job }) => (job.tenantId === actor.tenantId ? [job] : []));
        return { nodes: nodes.slice(0, first), hasNextPage: nodes.length > first, endCursor: null };
      },
      async previewPrompts(_actor, { prompt, negativePrompt, variantId }) {
        calls.push('previewPrompts');
        if (variantId && variantId !== variant.id) return null;
        const read = (text: string) => ({
          tokenCount: text.length,
          chunks: [
            { tokens: Array.from(text, (each) => ({ id: 1, text: each, endsWord: true, weight: 1 })) },
          ],
          truncatedTokenCount: 0,
          truncatedText: null,
        });
        return {
          variantId: variant.id,
          prompt: read(prompt),
          negativePrompt: read(negativePrompt ?? ''),
          chunkCount: 1,
          chunksMax: 8,
          refusals: refusalsOf({ prompt }),
        };
      },
      async images(_actor, jobIds) {
        calls.push('images');
        return new Map(jobIds.flatMap((id) => jobs.get(id) ?? []).map(({ job }) => [job.id, [imageOf(job)]]));
      },
      pictureLink: async ({ id }) => ({
        url: `http://127.0.0.1/objects/${id}.png`,
        expiresAt: new Date(60_000),
      }),
      thumbnailLink: async ({ id }) => ({
        url: `http://127.0.0.1/objects/${id}.webp`,
        expiresAt: new Date(60_000),
      }),
    },
    events: {
      async history(_actor, jobIds) {
        calls.push('history');
        return new Map(jobIds.flatMap((id) => jobs.get(id) ?? []).map(({ job, events }) => [job.id, events]));
      },
      async follow(actor, { jobId, after }, signal) {
        calls.push('follow');
        requirePermission(actor, 'JOBS_READ');
        const found = own(actor, jobId);
        if (!found) throw new DomainError('NOT_FOUND', 'There is no such job.', { field: ['jobId'] });
        if ((after ?? 0) > found.events.length)
          throw new DomainError('BAD_USER_INPUT', '"after" is too high.');
        return stream(found, after ?? 0, signal);
      },
    },
    operations: {
      async stats(actor) {
        requirePermission(actor, 'PLATFORM_READ');
        return {
          queueDepth: jobs.size,
          rowsInFlight: 0,
          meanBatch: null,
          stepsPerSecond: null,
          stepGapMs: null,
          eventLoopDelayMs: null,
          eventsPerSecond: null,
          sockets: 0,
          socketBufferBytesMax: 0,
        };
      },
    },
  };

  return {
    services,
    calls,
    addTenant(permissions = PERMISSIONS) {
      const authorization = `Bearer dk_live_${newId('key')}`;
      const actor: Actor = {
        tenantId: newId('tenant'),
        keyId: newId('key'),
        environment: 'LIVE',
        permissions: new Set(permissions),
      };
      actors.set(authorization, actor);
      return authorization;
    },
    revoke: (authorization) => void actors.delete(authorization),
    addJob: (authorization) => add(actorOf(authorization), { prompt: 'a red apple' }),
    emit(jobId, type) {
      const found = jobs.get(jobId);
      if (!found) throw new Error(`There is no job ${jobId}.`);
      append(found, type);
    },
    breakWith(error) {
      fault = error;
    },
    get following() {
      return following;
    },
  };
}

function refusalsOf({ prompt, steps, variantId }: JobSubmission): readonly DomainError[] {
  const refusals: DomainError[] = [];
  if (prompt.trim() === '')
    refusals.push(new DomainError('INVALID_INPUT', 'Say what to draw.', { field: ['prompt'] }));
  if (typeof steps === 'number' && steps < 1) {
    refusals.push(new DomainError('INVALID_INPUT', 'At least one step.', { field: ['steps'] }));
  }
  if (variantId && variantId !== variant.id) {
    refusals.push(new DomainError('NOT_FOUND', 'There is no such variant.', { field: ['variantId'] }));
  }
  return refusals;
}

const DEFAULTS: JobSettings = {
  prompt: '',
  negativePrompt: '',
  width: 128,
  height: 128,
  steps: 25,
  guidanceScale: 4,
  scheduler: 'EULER_DISCRETE',
  sigmaSchedule: 'DEFAULT',
  samplerOptions: {},
  clipSkip: 1,
  seed: 7n,
  imageCount: 1,
  previewEverySteps: 5,
  outputFormat: 'PNG',
};

const FINDING: Finding = {
  code: 'NEGATIVE_PROMPT_UNUSED',
  severity: 'WARNING',
  field: ['negativePrompt'],
  message: 'There is no guidance.',
  fix: 'Leave it out.',
};

const PROMPT = { chunks: [], tokenCount: 3, isTruncated: false };

function jobOf({ tenantId }: Actor, { metadata, ...submission }: JobSubmission): Job {
  const given = Object.entries(submission).filter(([name, value]) => name in DEFAULTS && value !== null);
  const settings: JobSettings = { ...DEFAULTS, ...Object.fromEntries(given), samplerOptions: {} };
  return {
    id: newId('job'),
    tenantId,
    state: 'QUEUED',
    variantId: variant.id,
    readSettings: () => ({ settings, prompt: PROMPT, negativePrompt: PROMPT, findings: [] }),
    readMetadata: () => metadata ?? [],
    step: 0,
    totalSteps: settings.steps,
    createdAt: new Date(0),
    startedAt: null,
    finishedAt: null,
    error: null,
    credits: settings.steps,
  };
}

function imageOf(job: Job): Image {
  const { width, height, seed, outputFormat } = job.readSettings().settings;
  const id: Id<'image'> = newId('image');
  return {
    id,
    tenantId: job.tenantId,
    jobId: job.id,
    index: 0,
    width,
    height,
    seed,
    format: outputFormat,
    bytes: 1,
    sha256: 'aa',
    pixelSha256: 'bb',
    objectKey: `${id}.png`,
    thumbnailKey: `${id}.webp`,
    expiredAt: null,
  };
}
