import { extname } from 'node:path';
import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import type { Client, JobSubmitInput, OutputFormat, SchedulerName, SigmaSchedule } from '../client/index.ts';
import type { Sampler } from './find-sampler.ts';
import { findSampler } from './find-sampler.ts';
import { choice, parseDecimal, parseWhole, toFlag, toName } from './flag-values.ts';
import { FORMAT_BY_ENDING } from './picture-files.ts';
import type { SamplerFlags } from './sampler-flags.ts';
import { addSamplerOptions, toSamplerOptions } from './sampler-flags.ts';

/** What `addPictureOptions` makes of the command line. */
export interface PictureFlags extends SamplerFlags {
  readonly out?: string;
  readonly seed?: string;
  readonly steps?: number;
  readonly guidance?: number;
  readonly scheduler?: string;
  readonly sigmaSchedule?: SigmaSchedule;
  readonly size?: { readonly width: number; readonly height: number };
  readonly clipSkip?: number;
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
  const withPrompt =
    defaultPrompt === undefined
      ? command.argument('<prompt>', 'what to draw')
      : command.argument('[prompt]', 'what to draw', defaultPrompt);
  return addSamplerOptions(addSettings(withPrompt))
    .option('--count <number>', 'how many pictures; picture i has seed + i', parseWhole)
    .option('--variant <id>', 'the model to draw with')
    .addOption(choice('--format <name>', 'kind of file (default: by the ending of --out, else png)', FORMATS))
    .option('--json', 'print one line of JSON and no progress');
}

function addSettings(command: Command): Command {
  return command
    .option('--out <path>', 'file or folder to write to (default: a name from prompt and seed, here)')
    .option('--seed <number>', 'fixes the picture: equal seeds and settings draw equal pixels', parseSeed)
    .option('--steps <number>', 'steps of the scheduler', parseWhole)
    .option('--guidance <number>', 'how closely to follow the prompt', parseDecimal)
    .option(
      '--scheduler <name>',
      `how noise is taken away: ${Object.keys(SCHEDULERS).map(toFlag).join(', ')}; or as diffusers or AUTOMATIC1111 call it, such as "DPM++ 2M Karras" (\`darkroom schedulers\` lists them)`,
    )
    .addOption(choice('--sigma-schedule <name>', 'how the noise levels are spread', SIGMA_SCHEDULES))
    .option('--size <WxH>', 'width and height in pixels, such as 128x128', parseSize)
    .option(
      '--clip-skip <number>',
      'layer of the text encoder, from its end: 2 is the last but one',
      parseWhole,
    )
    .option('--negative <text>', 'what to keep out of the picture');
}

/** What to submit. Asks the API what a scheduler's name means where it is none of the API's own. */
export async function toJobInput(
  prompt: string,
  flags: PictureFlags,
  client: Pick<Client, 'schedulers'>,
): Promise<JobSubmitInput> {
  const sampler = flags.scheduler === undefined ? null : await samplerOf(flags.scheduler, client);
  return {
    prompt,
    negativePrompt: flags.negative,
    variantId: flags.variant,
    width: flags.size?.width,
    height: flags.size?.height,
    steps: flags.steps,
    guidanceScale: flags.guidance,
    scheduler: sampler?.scheduler,
    sigmaSchedule: flags.sigmaSchedule ?? sampler?.sigmaSchedule,
    samplerOptions: toSamplerOptions(flags, sampler?.samplerOptions),
    clipSkip: flags.clipSkip,
    seed: flags.seed,
    imageCount: flags.count,
    // Nobody looks at them here, and each costs a decode.
    previewEverySteps: 0,
    outputFormat: flags.format ?? FORMAT_BY_ENDING[extname(flags.out ?? '').toLowerCase()],
  };
}

/** The API's own names need no asking, and so no key that may read models. */
async function samplerOf(name: string, client: Pick<Client, 'schedulers'>): Promise<Sampler> {
  const own = toName(name);
  return isSchedulerName(own) ? { scheduler: own } : findSampler(name, client);
}

function isSchedulerName(name: string): name is SchedulerName {
  return Object.hasOwn(SCHEDULERS, name);
}

function parseSeed(text: string): string {
  if (!/^\d{1,20}$/.test(text)) throw new InvalidArgumentError('It is a whole number from 0 to 2^64 - 1.');
  return text;
}

function parseSize(text: string): { width: number; height: number } {
  const [, width, height] = /^(\d{1,9})x(\d{1,9})$/i.exec(text) ?? [];
  if (width === undefined || height === undefined) {
    throw new InvalidArgumentError('It is width x height in pixels, such as 128x128.');
  }
  return { width: Number(width), height: Number(height) };
}
