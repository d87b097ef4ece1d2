import type { CodegenConfig } from '@graphql-codegen/cli';

/** What both sides agree on: scalars as they travel, closed sets as unions of their spelling. */
const everywhere = {
  enumsAsTypes: true,
  strictScalars: true,
  useTypeImports: true,
  skipTypename: true,
  immutableTypes: true,
  maybeValue: 'T | null',
  inputMaybeValue: 'T | null | undefined',
};

/**
 * GraphQL type -> the domain type that its field resolvers receive: one line per type whose parent
 * value is not already what the schema says.
 */
const mappers: Record<string, string> = {
  ApiKey: '../../domains/tenancy/index.ts#ApiKey as ApiKeyValue',
  Finding: '../../domains/generation/index.ts#Finding as FindingValue',
  Image: '../../domains/generation/index.ts#Image as ImageValue',
  Job: '../../domains/generation/index.ts#Job as JobValue',
  JobConnection: '../../graphql/context.ts#JobPage',
  JobError: '../../domains/generation/index.ts#JobError as JobErrorValue',
  JobEvent: '../../domains/generation/index.ts#JobEvent as JobEventValue',
  JobQuote: '../../domains/generation/index.ts#JobQuote as JobQuoteValue',
  PageInfo: '../../graphql/context.ts#JobPage',
  Plan: '../../domains/tenancy/index.ts#Plan as PlanValue',
  PromptPreview: '../../domains/generation/index.ts#PromptPreview as PromptPreviewValue',
  SamplerOptions: '../../domains/generation/index.ts#SamplerOptions as SamplerOptionsValue',
  Scheduler: '../../domains/catalog/index.ts#SchedulerDescription',
  SchedulerAlias: '../../graphql/context.ts#SchedulerAlias as SchedulerAliasValue',
  SchedulerFit: '../../domains/catalog/index.ts#SchedulerFit as SchedulerFitValue',
  SchedulerOption: '../../graphql/context.ts#SchedulerOption as SchedulerOptionValue',
  Tenant: '../../domains/tenancy/index.ts#Tenant as TenantValue',
  Variant: '../../domains/catalog/index.ts#Variant as VariantValue',
  VariantDefaults: '../../graphql/context.ts#VariantDefaults as VariantDefaultsValue',
  VariantVersion: '../../domains/catalog/index.ts#VariantVersion as VariantVersionValue',
  Viewer: '../../domains/tenancy/index.ts#Viewer as ViewerValue',
};

/** Enums that are spelled as diffusers does inside: `src/graphql/schema/sampler-enums.ts` turns them about. */
const enumValues = {
  SolverAlgorithm: { DPM_SOLVER_PP: 'dpmsolver++', SDE_DPM_SOLVER_PP: 'sde-dpmsolver++' },
  TimestepSpacing: { LINSPACE: 'linspace', LEADING: 'leading', TRAILING: 'trailing' },
};

const config: CodegenConfig = {
  schema: 'schema.graphql',
  generates: {
    'src/generated/graphql/resolvers.ts': {
      plugins: ['typescript', 'typescript-resolvers'],
      config: {
        ...everywhere,
        scalars: { ID: 'string', Credits: 'number', DateTime: 'Date', Seed: 'bigint', Url: 'string' },
        contextType: '../../graphql/context.ts#Context',
        mappers,
        enumValues,
      },
    },
    'src/generated/client/operations.ts': {
      documents: 'src/client/**/*.graphql',
      plugins: ['typescript-operations', 'typed-document-node'],
      config: {
        ...everywhere,
        scalars: { ID: 'string', Credits: 'number', DateTime: 'string', Seed: 'string', Url: 'string' },
      },
    },
  },
};

export default config;
