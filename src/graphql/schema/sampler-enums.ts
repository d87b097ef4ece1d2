import type {
  SolverAlgorithmResolvers,
  TimestepSpacingResolvers,
} from '../../generated/graphql/resolvers.ts';

// What the API spells in capitals is spelled inside as in diffusers, whose record of a model comes with the bundle.

export const TimestepSpacing: TimestepSpacingResolvers = {
  LINSPACE: 'linspace',
  LEADING: 'leading',
  TRAILING: 'trailing',
};

export const SolverAlgorithm: SolverAlgorithmResolvers = {
  DPM_SOLVER_PP: 'dpmsolver++',
  SDE_DPM_SOLVER_PP: 'sde-dpmsolver++',
};
