import { z } from 'zod';
import type { SamplerOptions } from '../../diffusion/index.ts';
import { ALGORITHMS, SOLVER_ORDERS, TIMESTEP_SPACINGS } from '../../diffusion/index.ts';

/** A submission's options, any of which may be null; an order is any number until it has been judged. */
export type SubmittedOptions = {
  readonly [Option in keyof SamplerOptions]?:
    (Option extends 'solverOrder' ? number : SamplerOptions[Option]) | null | undefined;
};

/** As a recipe keeps them. */
export const storedOptions = z.object({
  timestepSpacing: z.enum(TIMESTEP_SPACINGS).exactOptional(),
  timesteps: z.array(z.int()).exactOptional(),
  sigmas: z.array(z.number()).exactOptional(),
  eta: z.number().exactOptional(),
  sChurn: z.number().exactOptional(),
  sNoise: z.number().exactOptional(),
  solverOrder: z.literal(SOLVER_ORDERS).exactOptional(),
  algorithm: z.enum(ALGORITHMS).exactOptional(),
});

const OPTIONS = storedOptions.keyof().options;

/**
 * What was given and is not null, in one order: equal options are written alike. Values are not judged: an order
 * that no solver has is told by `validate`.
 */
export function settleOptions(submitted: SubmittedOptions | null | undefined): SamplerOptions {
  const given = OPTIONS.flatMap((option) => {
    const value = submitted?.[option] ?? null;
    return value === null ? [] : [[option, value] as const];
  });
  return Object.fromEntries(given) as SamplerOptions;
}

/** How many steps a list of timesteps or noise levels means; null where there is none, or none in it. */
export function listedSteps({ timesteps, sigmas }: SamplerOptions): number | null {
  const listed = timesteps?.length ?? (sigmas ? sigmas.length - 1 : 0);
  return listed > 0 ? listed : null;
}
