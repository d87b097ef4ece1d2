import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import type { SamplerOptionsInput, SolverAlgorithm, TimestepSpacing } from '../client/index.ts';
import { choice, parseDecimal, parseWhole } from './flag-values.ts';

/** What `addSamplerOptions` makes of the command line. */
export interface SamplerFlags {
  readonly eta?: number;
  readonly sChurn?: number;
  readonly sNoise?: number;
  readonly solverOrder?: number;
  readonly algorithm?: SolverAlgorithm;
  readonly timestepSpacing?: TimestepSpacing;
  readonly timesteps?: readonly number[];
  readonly sigmas?: readonly number[];
}

const SPACINGS: Readonly<Record<TimestepSpacing, true>> = { LINSPACE: true, LEADING: true, TRAILING: true };
const ALGORITHMS: Readonly<Record<SolverAlgorithm, true>> = { DPM_SOLVER_PP: true, SDE_DPM_SOLVER_PP: true };

/** Adds what some schedulers leave to choose. Which of them reads what is the API's business. */
export function addSamplerOptions(command: Command): Command {
  return command
    .option('--eta <number>', 'share of fresh noise in a step, such as 0.5', parseDecimal)
    .option('--s-churn <number>', 'noise added and taken off again, over the whole run', parseDecimal)
    .option('--s-noise <number>', 'strength of the noise that is added; 1 is its natural one', parseDecimal)
    .option('--solver-order <number>', 'order of the solver', parseWhole)
    .addOption(choice('--algorithm <name>', 'what DPM-Solver++ follows', ALGORITHMS))
    .addOption(choice('--timestep-spacing <name>', 'how timesteps are spread', SPACINGS))
    .option('--timesteps <list>', 'the timesteps themselves, such as 999,850,700', parseList(parseWhole))
    .option('--sigmas <list>', 'the noise levels themselves, such as 14.6,3.2,0', parseList(parseDecimal));
}

/** The options that were given; undefined when none was. */
export function toSamplerOptions(
  flags: SamplerFlags,
  named: SamplerOptionsInput = {},
): SamplerOptionsInput | undefined {
  const { eta, sChurn, sNoise, solverOrder, algorithm, timestepSpacing, timesteps, sigmas } = flags;
  const given = { eta, sChurn, sNoise, solverOrder, algorithm, timestepSpacing, timesteps, sigmas };
  const options = [...Object.entries(named), ...Object.entries(given)].filter(([, value]) => value != null);
  return options.length === 0 ? undefined : Object.fromEntries(options);
}

function parseList(parseOne: (text: string) => number): (text: string) => readonly number[] {
  return (text) => {
    try {
      return text.split(',').map((each) => parseOne(each.trim()));
    } catch {
      throw new InvalidArgumentError('It is numbers with commas between them.');
    }
  };
}
