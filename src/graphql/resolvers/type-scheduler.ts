import { countEvaluations } from '../../domains/catalog/index.ts';
import type {
  SchedulerAliasResolvers,
  SchedulerFitResolvers,
  SchedulerOptionResolvers,
  SchedulerResolvers,
} from '../../generated/graphql/resolvers.ts';
import { SolverAlgorithm, TimestepSpacing } from '../schema/sampler-enums.ts';

export const Scheduler: SchedulerResolvers = {
  usefulSteps: ({ steps }) => steps,
  evaluations: ({ name }, { steps }) => countEvaluations(name, steps),
};

export const SchedulerOption: SchedulerOptionResolvers = {
  values: ({ values }) => values?.map(spell) ?? null,
  default: (option) => (option.default === null ? null : spell(option.default)),
};

export const SchedulerAlias: SchedulerAliasResolvers = { samplerOptions: ({ options }) => options };

export const SchedulerFit: SchedulerFitResolvers = { isUsable: ({ findings }) => findings.length === 0 };

const SPELLED = new Map<string | number, string>(
  Object.entries({ ...TimestepSpacing, ...SolverAlgorithm }).map(([name, value]) => [value, name]),
);

/** As the API spells it where that is a name. */
function spell(value: string | number): string {
  return SPELLED.get(value) ?? String(value);
}
