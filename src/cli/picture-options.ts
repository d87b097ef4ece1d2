import { extname } from 'node:path';
import type { Command } from 'commander';
import { InvalidArgumentError, Option } from 'commander';
import type { OutputFormat, SchedulerName, SigmaSchedule } from '../client/index.ts';
import { FORMAT_BY_ENDING } from './picture-files.ts';
import type { GenerateOptions } from './run-generate.ts';

/** What `addPictureOptions` makes of the command line. */
export interface PictureFlags {
  readonly out?: string;
  readonly seed?: string;
  readonly steps?: number;
  readonly guidance?: number;
  readonly scheduler?: SchedulerName;
  readonly sigmaSchedule?: SigmaSchedule;
  readonly size?: { readonly width: number; readonly height: number };
  readonly negative?: string;
  readonly count?: number;
  readonly variant?: string;
  readonly format?: OutputFormat;
  readonly json?: boolean;
}

// Records and not lists, so that the compiler misses a name that the API has.
const SCHEDULERS: Readonly<Record<SchedulerName, true>> = {
  DDIM: true,
  DDPM: true,
  PNDM: true,
  LMS_DISCRETE: true,
  EULER_DISCRETE: true,
  EULER_ANCESTRAL_DISCRETE: true,
  HEUN_DISCRETE: true,
  DPM_SOLVER_MULTISTEP: true,
  DPM_SOLVER_SINGLESTEP: true,
  DPM_SOLVER_SDE: true,
  KDPM2_DISCRETE: true,
  KDPM2_ANCESTRAL_DISCRETE: true,
  DEIS_MULTISTEP: true,
  UNI_PC_MULTISTEP: true,
  LCM: true,
  TCD: true,
  SA_SOLVER: true,
};
const SIGMA_SCHEDULES: Readonly<Record<SigmaSchedule, true>> = {
  DEFAULT: true,
  KARRAS: true,
  EXPONENTIAL: true,
  BETA: true,
  AYS: true,
};
const FORMATS: Readonly<Record<OutputFormat, true>> = { PNG: true, JPEG: true, WEBP: true };

/** Adds everything that says what to draw and where to put it. Ranges are the API's business. */
export function addPictureOptions(
  command: Command,
  { defaultPrompt }: { readonly defaultPrompt?: string } = {},
): Command {
  return (
    defaultPrompt === undefined
      ? command.argument('<prompt>', 'what to draw')
      : command.argument('[prompt]', 'what to draw', defaultPrompt)
  )
    .option('--out <path>', 'file or folder to write to (default: a name from prompt and seed, here)')
    .option('--seed <number>', 'fixes the picture: equal seeds and settings draw equal pixels', parseSeed)
    .option('--steps <number>', 'steps of the scheduler', parseWhole)
    .option('--guidance <number>', 'how closely to follow the prompt', parseDecimal)
    .addOption(choice('--scheduler <name>', 'how noise is taken away', SCHEDULERS))
    .addOption(choice('--sigma-schedule <name>', 'how the noise levels are spread', SIGMA_SCHEDULES))
    .option('--size <WxH>', 'width and height in pixels, such as 128x128', parseSize)
    .option('--negative <text>', 'what to keep out of the picture')
    .option('--count <number>', 'how many pictures; picture i has seed + i', parseWhole)
    .option('--variant <id>', 'the model to draw with')
    .addOption(choice('--format <name>', 'kind of file (default: by the ending of --out, else png)', FORMATS))
    .option('--json', 'print one line of JSON and no progress');
}

export function toGenerateOptions(prompt: string, flags: PictureFlags): GenerateOptions {
  const input = {
    prompt,
    negativePrompt: flags.negative,
    variantId: flags.variant,
    width: flags.size?.width,
    height: flags.size?.height,
    steps: flags.steps,
    guidanceScale: flags.guidance,
    scheduler: flags.scheduler,
    sigmaSchedule: flags.sigmaSchedule,
    seed: flags.seed,
    imageCount: flags.count,
    // Nobody looks at them here, and each costs a decode.
    previewEverySteps: 0,
    outputFormat: flags.format ?? FORMAT_BY_ENDING[extname(flags.out ?? '').toLowerCase()],
  };
  return { input, out: flags.out ?? null, json: flags.json ?? false };
}

function choice<Name extends string>(
  flags: string,
  description: string,
  names: Readonly<Record<Name, true>>,
): Option {
  const spelled = Object.keys(names).map((name) => name.toLowerCase().replaceAll('_', '-'));
  return new Option(flags, `${description}: ${spelled.join(', ')}`).argParser((text) => {
    const name = text.toUpperCase().replaceAll('-', '_');
    if (!Object.hasOwn(names, name)) throw new InvalidArgumentError(`It is one of ${spelled.join(', ')}.`);
    return name;
  });
}

function parseSeed(text: string): string {
  if (!/^\d{1,20}$/.test(text)) throw new InvalidArgumentError('It is a whole number from 0 to 2^64 - 1.');
  return text;
}

function parseWhole(text: string): number {
  if (!/^-?\d{1,10}$/.test(text)) throw new InvalidArgumentError('It is a whole number.');
  return Number(text);
}

function parseDecimal(text: string): number {
  if (!/^-?\d{1,10}(?:\.\d{1,10})?$/.test(text))
    throw new InvalidArgumentError('It is a number, such as 7.5.');
  return Number(text);
}

function parseSize(text: string): { width: number; height: number } {
  const [, width, height] = /^(\d{1,9})x(\d{1,9})$/i.exec(text) ?? [];
  if (width === undefined || height === undefined) {
    throw new InvalidArgumentError('It is width x height in pixels, such as 128x128.');
  }
  return { width: Number(width), height: Number(height) };
}
