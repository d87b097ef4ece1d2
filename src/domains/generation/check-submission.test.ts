import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DomainErrors } from '../../kernel/errors.ts';
import type { Plan } from '../tenancy/index.ts';
import { checkSubmission, isIdempotencyKey } from './check-submission.ts';
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
  clipSkip: 1,
  seed: 7n,
  imageCount: 1,
  previewEverySteps: 5,
  outputFormat: 'PNG',
};
const PLAN = { megapixelsMax: 1, stepsMax: 50, queuedJobsMax: 10 } as Plan;

/** Paths of the fields that are refused, with their codes. */
function refusedIn(
  submission: Partial<JobSubmission>,
  settings: Partial<JobSettings> = {},
): readonly string[] {
  try {
    const all = { settings: { ...SETTINGS, ...settings }, findings: [], plan: PLAN };
    checkSubmission({ prompt: 'an apple', ...submission }, all);
    return [];
  } catch (error) {
    if (!(error instanceof DomainErrors)) throw error;
    return error.errors.map(({ code, field }) => `${code} ${field.join('.')}`);
  }
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

  it('is held against the plan once it is possible at all', () => {
    expect(refusedIn({}, { width: 2_048, height: 1_024, steps: 51 })).toEqual([
      'QUOTA_EXCEEDED width',
      'QUOTA_EXCEEDED steps',
    ]);
    expect(refusedIn({ idempotencyKey: '' }, { steps: 51 })).toEqual(['INVALID_INPUT idempotencyKey']);
  });
});
