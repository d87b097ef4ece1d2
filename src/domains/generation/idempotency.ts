import { createHash } from 'node:crypto';
import type { SchedulerConfig } from '../../diffusion/index.ts';
import { describeScheduler } from '../../diffusion/index.ts';
import type { Id } from '../../kernel/ids.ts';
import type { Choice } from './choose.ts';
import type { JobSettings, JobSubmission } from './job.ts';

interface MeantVariant {
  readonly id: string;
  readonly live: { readonly schedulerConfig: Pick<SchedulerConfig, 'timestepSpacing'> };
}

/** What an idempotency key stands for. */
export interface KnownRequest {
  readonly jobId: Id<'job'>;
  /** By `hashOfRequest`. */
  readonly hash: Uint8Array;
  /** By `hashOfMeaning`; null where it was not known, and then it equals nothing. */
  readonly meaning: Uint8Array | null;
}

/**
 * Whether two requests under one key are the same: written alike, or of equal meaning. Written alike comes
 * first: a request that is repeated as it was stays the same when the defaults of its variant change.
 */
export function isSameRequest(one: KnownRequest, other: KnownRequest): boolean {
  return isEqual(one.hash, other.hash) || isEqual(one.meaning, other.meaning);
}

/** Two submissions hash alike when every field that was given is the same. */
export function hashOfRequest(submission: JobSubmission): Uint8Array {
  const given = Object.entries(submission).filter(
    ([name, value]) => name !== 'idempotencyKey' && value != null,
  );
  return hashOf(given.toSorted());
}

/**
 * Two submissions hash alike when they ask for the same job: a default that is written out is the default,
 * and notes are the same in any order. A seed left to chance is like no seed that was named.
 */
export function hashOfMeaning(
  { seed, metadata }: JobSubmission,
  { variant, settings }: Pick<Choice, 'settings'> & { readonly variant: MeantVariant },
): Uint8Array {
  const notes = (metadata ?? []).map(({ key, value }) => [key, value]);
  const { samplerOptions: _, ...always } = settings;
  const chosen = chosenOptions(settings, variant.live.schedulerConfig);
  // Named only where there are some: a job without means what it meant before there were any.
  const options = chosen.length === 0 ? {} : { samplerOptions: chosen };
  const meant = { ...always, ...options, seed: seed ?? null };
  return hashOf([variant.id, Object.entries(meant).toSorted(byName), notes.toSorted(byName)]);
}

/** Without those that say what the scheduler, or the model's record, has anyway. */
function chosenOptions(
  { scheduler, samplerOptions }: JobSettings,
  { timestepSpacing }: Pick<SchedulerConfig, 'timestepSpacing'>,
): readonly (readonly [string, unknown])[] {
  const chosen = Object.entries(samplerOptions);
  if (chosen.length === 0) return chosen;
  const defaults = describeScheduler(scheduler).options.map(
    (option) => [option.name, option.default] as const,
  );
  const anyway = new Map<string, unknown>([...defaults, ['timestepSpacing', timestepSpacing]]);
  return chosen.filter(([option, value]) => anyway.get(option) !== value);
}

/** By code unit: the same on every machine, whatever its locale. */
function byName([a = '']: readonly unknown[], [b = '']: readonly unknown[]): number {
  return String(a) < String(b) ? -1 : 1;
}

function hashOf(value: unknown): Uint8Array {
  const text = JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? `${each}` : each));
  return createHash('sha256').update(text).digest();
}

function isEqual(one: Uint8Array | null, other: Uint8Array | null): boolean {
  return one !== null && other !== null && Buffer.from(one).equals(other);
}
