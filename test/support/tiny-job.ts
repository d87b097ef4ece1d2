import { createHash } from 'node:crypto';
import type { JobEventType, JobSubmitInput } from '../../src/client/index.ts';

/** The one job of a `TinyApi`: what was submitted, and what has happened since. */
export interface TinyJob {
  input: JobSubmitInput;
  readonly events: readonly TinyEvent[];
  /** Appends an event and wakes whoever waits for one. */
  emit(type: JobEventType, step?: number): void;
  /** Wakes whoever waits. */
  wake(): void;
  /** Resolves at the next `emit` or `wake`. */
  changed(): Promise<void>;
}

export interface TinyEvent {
  readonly sequence: number;
  readonly type: JobEventType;
  readonly step: number | null;
}

export const JOB_ID = 'job_tiny';
const TOTAL_STEPS = 20;
const NOW = '2026-03-01T09:30:00.000Z';
const TERMINAL: ReadonlySet<JobEventType> = new Set(['COMPLETED', 'FAILED', 'CANCELLED']);
const STATES: Readonly<Partial<Record<JobEventType, string>>> = {
  COMPLETED: 'SUCCEEDED',
  FAILED: 'FAILED',
  CANCELLED: 'CANCELLED',
};

/** What every setting is that was not submitted. */
const DEFAULTS = {
  negativePrompt: '',
  width: 128,
  height: 128,
  steps: TOTAL_STEPS,
  guidanceScale: 4,
  scheduler: 'EULER_DISCRETE',
  sigmaSchedule: 'DEFAULT',
  samplerOptions: {},
  clipSkip: 1,
  seed: '7',
  imageCount: 1,
  previewEverySteps: 5,
  outputFormat: 'PNG',
  variantId: 'var_tiny',
  metadata: [],
  findings: [],
};

/** As large as previews get. */
const PREVIEW = `data:image/webp;base64,${'A'.repeat(16_000)}`;

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** The file of the picture at `index`. */
export const fileOf = (index: number): Uint8Array => Buffer.from(`png${index}`);

export function createTinyJob(): TinyJob {
  const events: TinyEvent[] = [];
  let next = Promise.withResolvers<void>();
  const wake = () => {
    next.resolve();
    next = Promise.withResolvers();
  };
  return {
    input: { prompt: 'unsubmitted' },
    events,
    emit(type, step) {
      events.push({ sequence: events.length + 1, type, step: step ?? null });
      wake();
    },
    wake,
    changed: () => next.promise,
  };
}

export function isLast({ type }: TinyEvent): boolean {
  return TERMINAL.has(type);
}

/** The job as the schema has it; `origin` is where its pictures are served. */
export function toJob({ events, input }: TinyJob, origin: string) {
  const given = Object.fromEntries(
    Object.entries(input).filter(([, value]) => value !== null && value !== undefined),
  );
  const settings = { ...DEFAULTS, ...given };
  const type = events.at(-1)?.type ?? 'QUEUED';
  return {
    ...settings,
    id: JOB_ID,
    state: STATES[type] ?? 'RUNNING',
    step: 0,
    totalSteps: TOTAL_STEPS,
    createdAt: NOW,
    startedAt: NOW,
    finishedAt: null,
    error: null,
    credits: TOTAL_STEPS,
    images: Array.from({ length: type === 'COMPLETED' ? settings.imageCount : 0 }, (_, index) =>
      toImage(index, { origin, seed: settings.seed }),
    ),
  };
}

/** The event as the schema has it. */
export function toEvent({ sequence, type, step }: TinyEvent, origin: string) {
  return {
    sequence,
    type,
    step,
    at: NOW,
    totalSteps: TOTAL_STEPS,
    preview: type === 'PREVIEW' ? PREVIEW : null,
    image: type === 'IMAGE' ? toImage(0, { origin, seed: DEFAULTS.seed }) : null,
    error: type === 'FAILED' ? { code: 'ENGINE_FAILED', message: 'The model could not be run.' } : null,
  };
}

function toImage(index: number, { origin, seed }: { origin: string; seed: string }) {
  const url = `${origin}/objects/${index}`;
  return {
    id: `img_${index}`,
    url,
    urlExpiresAt: NOW,
    thumbnailUrl: url,
    width: 128,
    height: 128,
    seed: String(BigInt(seed) + BigInt(index)),
    sha256: sha256(fileOf(index)),
    pixelSha256: sha256(Buffer.from(`pixels${index}`)),
  };
}
