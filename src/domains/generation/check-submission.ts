import type { Finding, FindingCode } from '../../diffusion/index.ts';
import { FINDING_CODES } from '../../diffusion/index.ts';
import { DomainError } from '../../kernel/errors.ts';
import type { Plan } from '../tenancy/index.ts';
import type { JobSettings, JobSubmission, MetadataEntry } from './job.ts';

const METADATA_ENTRIES_MAX = 32;
const METADATA_KEY_CHARS_MAX = 64;
const METADATA_VALUE_CHARS_MAX = 512;
const IDEMPOTENCY_KEY_CHARS_MAX = 255;
const LISTED_VALUES_MAX = 1_001;

/** What a refusal of settings can say more closely; the closed set of `JobUserError.finding`. */
export type JobFinding = FindingCode;
export const JOB_FINDINGS: readonly JobFinding[] = FINDING_CODES;

/**
 * What a job's input can never be, all of it; empty when it is possible. `findings` are the diffusion core's word on
 * the same settings.
 */
export function checkSubmission(
  submission: JobSubmission,
  { settings, findings }: { settings: JobSettings; findings: readonly Finding[] },
): readonly DomainError[] {
  return [
    ...findings.filter((finding) => finding.severity === 'ERROR').map(refusalOf),
    ...checkLists(settings),
    ...checkPreview(settings),
    ...checkMetadata(submission.metadata ?? []),
    ...checkIdempotencyKey(submission.idempotencyKey ?? null),
  ];
}

/** What a submission is told of an ERROR. */
export function refusalOf({ code, message, fix, field }: Finding): DomainError {
  const text = fix === '' ? message : `${message} ${fix}`;
  return new DomainError('INVALID_INPUT', text, { field, finding: code });
}

function invalid(field: readonly string[], message: string): DomainError {
  return new DomainError('INVALID_INPUT', message, { field });
}

/** A list is kept with the job: one step more than there can be, and not what a request can hold. */
function checkLists({ samplerOptions }: JobSettings): readonly DomainError[] {
  const lists = (['timesteps', 'sigmas'] as const).filter(
    (option) => (samplerOptions[option]?.length ?? 0) > LISTED_VALUES_MAX,
  );
  const message = `A list has at most ${LISTED_VALUES_MAX} values.`;
  return lists.map(
    (option) =>
      new DomainError('INVALID_INPUT', message, {
        field: ['samplerOptions', option],
        finding: 'OPTION_INVALID' satisfies JobFinding,
      }),
  );
}

function checkPreview({ previewEverySteps }: JobSettings): readonly DomainError[] {
  const isFine = previewEverySteps >= 0 && previewEverySteps <= 1_000;
  return isFine
    ? []
    : [invalid(['previewEverySteps'], 'previewEverySteps must lie between 0 (none) and 1000.')];
}

function checkMetadata(metadata: readonly MetadataEntry[]): readonly DomainError[] {
  if (metadata.length > METADATA_ENTRIES_MAX) {
    return [invalid(['metadata'], `A job carries at most ${METADATA_ENTRIES_MAX} metadata entries.`)];
  }
  const keys = metadata.map((entry) => entry.key);
  return metadata.flatMap(({ key, value }, index) => [
    ...when(key.length === 0 || key.length > METADATA_KEY_CHARS_MAX, () =>
      invalid(
        ['metadata', `${index}`, 'key'],
        `A metadata key has 1 to ${METADATA_KEY_CHARS_MAX} characters.`,
      ),
    ),
    ...when(keys.indexOf(key) < index, () =>
      invalid(['metadata', `${index}`, 'key'], 'This metadata key occurs twice.'),
    ),
    ...when(value.length > METADATA_VALUE_CHARS_MAX, () =>
      invalid(
        ['metadata', `${index}`, 'value'],
        `A metadata value has at most ${METADATA_VALUE_CHARS_MAX} characters.`,
      ),
    ),
  ]);
}

export function isIdempotencyKey(key: string): boolean {
  return key.length > 0 && key.length <= IDEMPOTENCY_KEY_CHARS_MAX;
}

function checkIdempotencyKey(key: string | null): readonly DomainError[] {
  return key === null || isIdempotencyKey(key)
    ? []
    : [invalid(['idempotencyKey'], `An idempotency key has 1 to ${IDEMPOTENCY_KEY_CHARS_MAX} characters.`)];
}

/** What the tenant's plan does not allow. */
export function checkPlan({ width, height, steps }: JobSettings, plan: Plan): readonly DomainError[] {
  const over = (field: string, message: string) =>
    new DomainError('QUOTA_EXCEEDED', message, { field: [field] });
  return [
    ...when((width * height) / 1e6 > plan.megapixelsMax, () =>
      over('width', `Your plan allows pictures of at most ${plan.megapixelsMax} megapixels.`),
    ),
    ...when(steps > plan.stepsMax, () => over('steps', `Your plan allows at most ${plan.stepsMax} steps.`)),
  ];
}

function when(isWrong: boolean, refusal: () => DomainError): readonly DomainError[] {
  return isWrong ? [refusal()] : [];
}
