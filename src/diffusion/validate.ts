import type { Manifest } from '../kernel/manifest.ts';
import type { Finding, FindingCode, Subject } from './finding.ts';
import type { SchedulerName } from './names.ts';
import { SCHEDULER_NAMES, SIGMA_SCHEDULES } from './names.ts';
import { stepRange } from './validation/step-range.ts';
import type { SamplerOptions } from './sampler-options.ts';
import { parseWeightedText } from './prompt/weighted-text.ts';
import type { SchedulerConfig } from './schedulers/config.ts';
import { schedulerOf } from './schedulers/registry.ts';
import { checkOptions } from './validate-options.ts';
import type { Settings } from './settings.ts';

/** Far above CLIP's 77 tokens in any language, far below what would cost the tokenizer time. */
const PROMPT_BYTES_MAX = 8 * 1024;
/** A picture comes apart long before; the bound keeps what the engines compute with within half precision. */
const WEIGHT_MAX = 10;
/** The largest batch that the engines are built for, so that a job's pictures can run side by side. */
const IMAGE_COUNT_MAX = 8;
/** Attention's work grows with the square of this, whatever the model's native size; a larger picture wants tiles. */
const PIXELS_MAX = 4 * 1024 * 1024;
/** Models are trained on this many timesteps; more steps would only repeat them. */
const STEPS_MAX = 1000;
/** A picture's side may be this many times the size that the model was trained at. */
const NATIVE_SIZES_MAX = 8;
/** Pictures saturate long before; the bound keeps nonsense away from the engines. */
const GUIDANCE_MAX = 100;

const SEED_MAX = 2n ** 64n - 1n;

type Rule = (subject: Subject) => readonly Finding[];

const RULES: readonly Rule[] = [
  checkPrompt,
  checkNegativePrompt,
  checkSides,
  checkPixels,
  checkSteps,
  checkGuidance,
  checkPrediction,
  checkCurve,
  checkOptions,
  checkClipSkip,
  checkSeed,
  checkImageCount,
];

/**
 * Everything that is wrong with `settings` and `options` for this bundle, in the order of the input's fields; empty
 * when they can run.
 */
export function validate(
  manifest: Manifest,
  schedulerConfig: SchedulerConfig,
  settings: Settings,
  options: SamplerOptions = {},
): readonly Finding[] {
  const subject = { manifest, schedulerConfig, settings, options };
  return RULES.flatMap((rule) => rule(subject));
}

type Problem = Pick<Finding, 'message' | 'fix'>;

function error(code: FindingCode, field: keyof Settings, problem: Problem): Finding {
  return { code, severity: 'ERROR', field: [field], ...problem };
}

function checkPrompt({ settings: { prompt } }: Subject): readonly Finding[] {
  if (prompt.trim() === '') {
    return [error('PROMPT_EMPTY', 'prompt', { message: 'The prompt is empty.', fix: 'Say what to draw.' })];
  }
  return checkText('prompt', prompt);
}

function checkNegativePrompt({ settings: { negativePrompt, guidanceScale } }: Subject): readonly Finding[] {
  const unused: Finding = {
    code: 'NEGATIVE_PROMPT_UNUSED',
    severity: 'WARNING',
    field: ['negativePrompt'],
    message: 'A guidance scale of 1 or less switches guidance off, and the negative prompt with it.',
    fix: 'Raise guidanceScale above 1, or leave the negative prompt out.',
  };
  const isUnused = negativePrompt.trim() !== '' && guidanceScale <= 1;
  return [...checkText('negativePrompt', negativePrompt), ...(isUnused ? [unused] : [])];
}

type PromptField = 'prompt' | 'negativePrompt';

/** Weights only of a text that is short enough to be read. */
function checkText(field: PromptField, text: string): readonly Finding[] {
  const tooLong = checkLength(field, text);
  return tooLong.length > 0 ? tooLong : checkWeights(field, text);
}

function checkLength(field: PromptField, text: string): readonly Finding[] {
  const bytes = new TextEncoder().encode(text).length;
  if (bytes <= PROMPT_BYTES_MAX) return [];
  const message = `The text is ${bytes} bytes long; at most ${PROMPT_BYTES_MAX} are accepted.`;
  return [error('PROMPT_TOO_LONG', field, { message, fix: `Shorten it to ${PROMPT_BYTES_MAX} bytes.` })];
}

/** The weight and not its words: a finding never holds what a tenant wrote. */
function checkWeights(field: PromptField, text: string): readonly Finding[] {
  const weights = parseWeightedText(text).flatMap((part) => (part.kind === 'TEXT' ? part.weight : []));
  const wrong = weights.find((weight) => Math.abs(weight) > WEIGHT_MAX);
  if (wrong === undefined) return [];
  const message = `A text in brackets has the weight ${wrong.toPrecision(3)}; it must lie between -${WEIGHT_MAX} and ${WEIGHT_MAX}.`;
  const fix = String.raw`Use fewer brackets or a smaller number, or write \( and \[ where a bracket is meant as text.`;
  return [error('PROMPT_WEIGHT_OUT_OF_RANGE', field, { message, fix })];
}

function checkSides({ manifest, settings }: Subject): readonly Finding[] {
  const multiple = sizeStep(manifest);
  const sideMax = largestSide(manifest);
  return (['width', 'height'] as const).flatMap((field) => {
    const side = settings[field];
    const nearest = Math.min(Math.max(Math.round(side / multiple) || 1, 1) * multiple, sideMax);
    const fix = `Use ${nearest}.`;
    if (!Number.isInteger(side) || side <= 0 || side % multiple !== 0) {
      const message = `The ${field} must be a positive multiple of ${multiple} pixels, not ${side}.`;
      return [error('SIZE_INVALID', field, { message, fix })];
    }
    const message = `The ${field} may be at most ${sideMax} pixels for ${manifest.name}, not ${side}.`;
    return side > sideMax ? [error('SIZE_TOO_LARGE', field, { message, fix })] : [];
  });
}

/** Only where each side is allowed by itself, so that one mistake gives one finding. */
function checkPixels(subject: Subject): readonly Finding[] {
  const { width, height } = subject.settings;
  if (width * height <= PIXELS_MAX || checkSides(subject).length > 0) return [];
  const multiple = sizeStep(subject.manifest);
  const heightMax = Math.floor(PIXELS_MAX / width / multiple) * multiple;
  const message = `${width}x${height} is more than the ${PIXELS_MAX} pixels that a picture may have.`;
  return [
    error('SIZE_TOO_LARGE', 'height', {
      message,
      fix: `Use a height of at most ${heightMax}, or a smaller width.`,
    }),
  ];
}

/** A side must also be whole latent cells, whatever the manifest asks for beside that. */
function sizeStep({ sizeMultiple, latentFactor }: Manifest): number {
  return sizeMultiple % latentFactor === 0 ? sizeMultiple : sizeMultiple * latentFactor;
}

function largestSide(manifest: Manifest): number {
  const multiple = sizeStep(manifest);
  return Math.floor((manifest.nativeSize * NATIVE_SIZES_MAX) / multiple) * multiple;
}

function checkPrediction({ schedulerConfig, settings: { scheduler } }: Subject): readonly Finding[] {
  const { predictionType } = schedulerConfig;
  const works = (each: SchedulerName) => schedulerOf(each).predictionTypes.includes(predictionType);
  if (works(scheduler)) return [];
  const message = `${scheduler} cannot run a model that predicts ${predictionType}.`;
  const fix = `Use one of ${SCHEDULER_NAMES.filter(works).join(', ')}.`;
  return [error('PREDICTION_UNSUPPORTED', 'scheduler', { message, fix })];
}

function checkCurve({ settings: { scheduler, sigmaSchedule } }: Subject): readonly Finding[] {
  const accepted = schedulerOf(scheduler).sigmaSchedules;
  if (accepted.includes(sigmaSchedule)) return [];
  const message = `${scheduler} cannot follow the sigma schedule ${sigmaSchedule}.`;
  const fix = `Use one of ${SIGMA_SCHEDULES.filter((each) => accepted.includes(each)).join(', ')}.`;
  return [error('SIGMA_SCHEDULE_UNSUPPORTED', 'sigmaSchedule', { message, fix })];
}

function checkClipSkip({ manifest, settings: { clipSkip } }: Subject): readonly Finding[] {
  if (Object.hasOwn(manifest.clipSkip, clipSkip)) return [];
  const message = `${manifest.name} has no clip skip ${clipSkip}.`;
  const fix = `Use one of ${Object.keys(manifest.clipSkip).join(', ')}.`;
  return [error('CLIP_SKIP_UNSUPPORTED', 'clipSkip', { message, fix })];
}

function checkSteps({ schedulerConfig, settings, options }: Subject): readonly Finding[] {
  const { scheduler, sigmaSchedule, steps } = settings;
  const { min, max } = stepRange(scheduler, { config: schedulerConfig, sigmaSchedule, options });
  return checkWhole('STEPS_OUT_OF_RANGE', 'steps', { value: steps, min, max: Math.min(STEPS_MAX, max) });
}

function checkImageCount({ settings: { imageCount } }: Subject): readonly Finding[] {
  const range = { min: 1, max: IMAGE_COUNT_MAX };
  return checkWhole('IMAGE_COUNT_OUT_OF_RANGE', 'imageCount', { value: imageCount, ...range });
}

interface Ranged {
  readonly value: number;
  readonly min: number;
  readonly max: number;
}

function checkWhole(
  code: FindingCode,
  field: 'steps' | 'imageCount',
  { value, min, max }: Ranged,
): readonly Finding[] {
  if (Number.isInteger(value) && value >= min && value <= max) return [];
  const nearest = Math.min(Math.max(Math.round(value) || 1, min), max);
  const message = `${field} must be a whole number from ${min} to ${max}, not ${value}.`;
  return [error(code, field, { message, fix: `Use ${nearest}.` })];
}

function checkGuidance({ settings: { guidanceScale } }: Subject): readonly Finding[] {
  if (guidanceScale >= 0 && guidanceScale <= GUIDANCE_MAX) return [];
  const message = `guidanceScale must be a number from 0 to ${GUIDANCE_MAX}, not ${guidanceScale}.`;
  const fix = `Use ${guidanceScale > GUIDANCE_MAX ? GUIDANCE_MAX : 0}.`;
  return [error('GUIDANCE_OUT_OF_RANGE', 'guidanceScale', { message, fix })];
}

function checkSeed({ settings: { seed } }: Subject): readonly Finding[] {
  if (seed >= 0n && seed <= SEED_MAX) return [];
  const message = `seed must be a whole number from 0 to ${SEED_MAX}, not ${seed}.`;
  return [error('SEED_OUT_OF_RANGE', 'seed', { message, fix: `Use ${seed < 0n ? 0n : SEED_MAX}.` })];
}
