import type { SchedulerName } from '../../src/diffusion/index.ts';
import { SCHEDULER_NAMES, schedulerOf } from '../../src/diffusion/index.ts';
import type { Recipe, Wish } from './judged-pictures.ts';

/** Pictures that share their calls, and what they are an example of. */
export interface PictureCase {
  readonly kind: string;
  /** The bundle of the repository that draws them. */
  readonly bundle: string;
  readonly recipe: Recipe;
  readonly wishes: readonly Wish[];
}

type NewCase = Omit<PictureCase, 'wishes' | 'bundle'> & {
  readonly bundle?: string;
  readonly prompts?: readonly string[];
  readonly negativePrompt?: string;
  readonly count?: number;
};

/** As many as one call of pico takes. */
const ROWS = 8;

// LCM and TCD are left out: pico is not distilled, and is refused with them.
const SUITABLE = SCHEDULER_NAMES.filter((name) => name !== 'LCM' && name !== 'TCD');
const USUAL: readonly SchedulerName[] = ['DPM_SOLVER_MULTISTEP', 'EULER_ANCESTRAL_DISCRETE', 'DDIM'];
const IN_SIGMA_SPACE: ReadonlySet<SchedulerName> = new Set([
  'EULER_DISCRETE',
  'HEUN_DISCRETE',
  'LMS_DISCRETE',
]);

const GUIDANCE = [1, 2, 3, 4, 5, 7.5, 10, 12];

const PROMPTS = [
  'a cat',
  'a red apple, blue background',
  'a dog, black background',
  'a house, green background',
  'a rocket',
  'a pizza, purple background',
  'a penguin',
  'a soccer ball',
  'an umbrella, yellow background',
  'a sunflower, pink background',
  'a tree',
  'a castle, gray background',
  'a robot, red background',
];

/** What people type who do not know what the model was taught. */
const ODD_PROMPTS = [
  '',
  'quarterly revenue forecast in the style of Rembrandt, 8k, masterpiece',
  'asdf qwer zxcv 12345 !!!',
  'TV static, white noise, film grain, noise, noise, noise',
  'plain white background, nothing',
  '(red apple:3) [dog] ((((cat))))',
  'пейзаж с горами',
  'a solid black square',
];

/** Good pictures of `steps` steps by every scheduler that suits pico, with its own schedule alone. */
export function quickGoodCases(steps: number): readonly PictureCase[] {
  return numbered(SUITABLE.map((scheduler) => ({ kind: `${steps} steps`, recipe: { scheduler, steps } })));
}

/** Good pictures of all kinds: every schedule of every scheduler, few steps, odd prompts and sizes. */
export function goodCases(): readonly PictureCase[] {
  const schedules = SUITABLE.flatMap((scheduler) =>
    schedulerOf(scheduler).sigmaSchedules.map((sigmaSchedule) => ({
      kind: 'every sigma schedule',
      // Align Your Steps is made for ten.
      recipe: { scheduler, sigmaSchedule, steps: sigmaSchedule === 'AYS' ? 10 : 20 },
    })),
  );
  const usual = USUAL.flatMap((scheduler): readonly NewCase[] => {
    const recipe = { scheduler, steps: 20 };
    return [
      { kind: 'odd prompts', recipe, prompts: ODD_PROMPTS },
      { kind: 'a negative prompt', recipe, negativePrompt: 'blurry, a dog, red background' },
      { kind: 'pico-noto', bundle: 'pico-noto', recipe },
      { kind: 'pico-noto', bundle: 'pico-noto', recipe, prompts: ODD_PROMPTS },
      { kind: '64 by 64', recipe: { ...recipe, width: 64, height: 64 } },
      { kind: '96 by 160', recipe: { ...recipe, width: 96, height: 160 } },
      { kind: '256 by 256', recipe: { ...recipe, width: 256, height: 256 }, count: 2 },
    ];
  });
  const few = [4, 6].flatMap((steps) =>
    SUITABLE.map((scheduler) => ({ kind: `${steps} steps`, recipe: { scheduler, steps } })),
  );
  return numbered([...schedules, ...usual, ...few]);
}

const WRONG_BETAS = { beta_start: 0.02, beta_end: 0.085 };

/** What a model's record or the platform can have wrong, by every scheduler that it concerns. */
export function wrongCases(schedulers: readonly SchedulerName[] = SUITABLE): readonly PictureCase[] {
  const cases = schedulers.flatMap((scheduler): readonly NewCase[] => {
    const recipe = { scheduler, steps: 20 };
    const declared = (type: string) => ({
      kind: `declared ${type}`,
      recipe: { ...recipe, record: { prediction_type: type } },
    });
    return [
      { kind: 'betas 0.02 to 0.085', recipe: { ...recipe, record: WRONG_BETAS } },
      declared('v_prediction'),
      ...(schedulerOf(scheduler).predictionTypes.includes('sample') ? [declared('sample')] : []),
      ...(IN_SIGMA_SPACE.has(scheduler)
        ? [
            { kind: 'input not scaled', recipe: { ...recipe, isInputUnscaled: true } },
            { kind: 'start not scaled', recipe: { ...recipe, isStartUnscaled: true } },
            // The one step is the last of the training's, and leaves the noise where it was.
            { kind: 'one step', recipe: { scheduler, steps: 1 } },
          ]
        : []),
    ];
  });
  return numbered(cases.map((each) => ({ ...each, count: ROWS / 2 })));
}

/** Gives every case its own seeds, and prompts and guidance in turn. */
function numbered(cases: readonly NewCase[]): readonly PictureCase[] {
  return cases.map(({ kind, bundle = 'pico', recipe, prompts, negativePrompt, count = ROWS }, index) => ({
    kind,
    bundle,
    recipe,
    wishes: Array.from({ length: count }, (_, row) => {
      const of = prompts ?? PROMPTS;
      return {
        // Five is prime to the number of prompts, so that all of them come up.
        prompt: of[prompts ? row : (index * 3 + row * 5) % of.length] ?? '',
        seed: BigInt(1_000 + index * ROWS + row),
        guidanceScale: GUIDANCE[(index + row) % GUIDANCE.length] ?? 1,
        ...(negativePrompt !== undefined && { negativePrompt }),
      };
    }),
  }));
}
