import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DomainError } from '../../kernel/errors.ts';
import type { Plan } from '../tenancy/index.ts';
import { checkPlan, checkSubmission, isIdempotencyKey } from './check-submission.ts';
import type { JobSettings, JobSubmission } from './job.ts';

const SETTINGS: JobSettings = {
  prompt: 'an apple',
  negativePrompt: '',
  width: 128,
  height: 128,
  steps: 20,
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
const PLAN = { megapixelsMax: 1, stepsMax: 50, queuedJobsMax: 10 } as Plan;

const paths = (refusals: readonly DomainError[]) =>
  refusals.map(({ code, field }) => `${code} ${field.join('.')}`);

/** Paths of the fields that are refused, with their codes. */
function refusedIn(
  submission: Partial<JobSubmission>,
  settings: Partial<JobSettings> = {},
): readonly string[] {
  const all = { settings: { ...SETTINGS, ...settings }, findings: [] };
  return paths(checkSubmission({ prompt: 'an apple', ...submission }, all));
}

const text = (minLength: number, maxLength: number) =>
  fc
    .string({ unit: 'binary', minLength, maxLength })
    .filter((each) => each.length >= minLength && each.length <= maxLength);
const entry = fc.record({ key: text(1, 64), value: text(0, 512) });
const entries = fc.uniqueArray(entry, { maxLength: 32, selector: ({ key }) => key });

describe('a submission', () => {
  it('may carry any metadata within its limits, whatever the keys are called', () => {
    fc.assert(fc.property(entries, (metadata) => void expect(refusedIn({ metadata })).toEqual([])));
    const metadata = ['__proto__', 'constructor', 'hasOwnProperty', ''].map((key) => ({ key, value: key }));
    expect(refusedIn({ metadata })).toEqual(['INVALID_INPUT metadata.3.key']);
  });

  it('is told of every entry that is at fault, and of no other', () => {
    const wrong = fc.constantFrom('key', 'value', 'twice', 'nothing');
    fc.assert(
      fc.property(
        fc.uniqueArray(entry, { maxLength: 30, selector: ({ key }) => key, minLength: 1 }),
        fc.nat(),
        wrong,
        (good, at, how) => {
          const place = at % good.length;
          const metadata = good.map((each, i) => {
            if (i !== place) return each;
            if (how === 'key') return { ...each, key: 'k'.repeat(65) };
            return how === 'value' ? { ...each, value: 'v'.repeat(513) } : each;
          });
          const twice = how === 'twice' ? [...metadata, good[0] ?? { key: 'k', value: '' }] : metadata;
          const expected = {
            key: [`INVALID_INPUT metadata.${place}.key`],
            value: [`INVALID_INPUT metadata.${place}.value`],
            twice: [`INVALID_INPUT metadata.${good.length}.key`],
            nothing: [],
          };
          expect(refusedIn({ metadata: twice })).toEqual(expected[how]);
        },
      ),
    );
  });

  it('has an idempotency key of 1 to 255 characters or none', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300, size: 'max' }), (idempotencyKey) => {
        const isRefused = refusedIn({ idempotencyKey }).length > 0;
        expect(isRefused).toBe(idempotencyKey.length === 0 || idempotencyKey.length > 255);
        expect(isIdempotencyKey(idempotencyKey)).toBe(!isRefused);
      }),
    );
    expect(refusedIn({ idempotencyKey: null })).toEqual([]);
  });

  it('shows previews every 0 to 1000 steps', () => {
    fc.assert(
      fc.property(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), (previewEverySteps) => {
        const isFine = previewEverySteps >= 0 && previewEverySteps <= 1_000;
        expect(refusedIn({}, { previewEverySteps })).toEqual(
          isFine ? [] : ['INVALID_INPUT previewEverySteps'],
        );
      }),
    );
  });

  it('lists at most 1001 timesteps or noise levels', () => {
    const falling = (count: number) => Array.from({ length: count }, (_, index) => count - index);
    for (const option of ['timesteps', 'sigmas'] as const) {
      expect(refusedIn({}, { samplerOptions: { [option]: falling(1_001) } })).toEqual([]);
      expect(refusedIn({}, { samplerOptions: { [option]: falling(1_002) } })).toEqual([
        `INVALID_INPUT samplerOptions.${option}`,
      ]);
    }
  });

  it('is held against the plan, field by field', () => {
    const beyond = { ...SETTINGS, width: 2_048, height: 1_024, steps: 51 };
    expect(paths(checkPlan(beyond, PLAN))).toEqual(['QUOTA_EXCEEDED width', 'QUOTA_EXCEEDED steps']);
    expect(checkPlan(SETTINGS, PLAN)).toEqual([]);
  });
});
