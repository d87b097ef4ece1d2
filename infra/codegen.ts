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
  Image: '../../domains/generation/index.ts#Image as ImageValue',
  Job: '../../domains/generation/index.ts#Job as JobValue',
  JobConnection: '../../graphql/context.ts#JobPage',
  JobError: '../../domains/generation/index.ts#JobError as JobErrorValue',
  JobEvent: '../../domains/generation/index.ts#JobEvent as JobEventValue',
  PageInfo: '../../graphql/context.ts#JobPage',
  Plan: '../../domains/tenancy/index.ts#Plan as PlanValue',
  PromptPreview: '../../domains/generation/index.ts#PromptPreview as PromptPreviewValue',
  Scheduler: '../../graphql/context.ts#SchedulerInfo',
  Tenant: '../../domains/tenancy/index.ts#Tenant as TenantValue',
  Variant: '../../domains/catalog/index.ts#Variant as VariantValue',
  VariantDefaults: '../../graphql/context.ts#VariantDefaults as VariantDefaultsValue',
  VariantVersion: '../../domains/catalog/index.ts#VariantVersion as VariantVersionValue',
  Viewer: '../../domains/tenancy/index.ts#Viewer as ViewerValue',
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
