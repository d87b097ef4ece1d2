// Which part may import which: the arrows of docs/architecture.md. A part that is not named as a
// key may import nothing of ours, so a new folder has to be placed here before it is of use.
const MAY_IMPORT = {
  kernel: [],
  platform: ['kernel', 'generated'],
  diffusion: ['kernel'],
  domains: ['kernel', 'platform', 'diffusion', 'generated'],
  backends: ['kernel', 'platform', 'domains', 'dispatcher'],
  dispatcher: ['kernel', 'platform', 'domains', 'diffusion'],
  background: ['kernel', 'platform', 'domains'],
  graphql: ['kernel', 'platform', 'domains', 'generated'],
  node: ['kernel', 'platform'],
  client: ['generated'],
  config: ['kernel'],
  hosting: ['kernel', 'platform', 'config'],
  cli: ['kernel', 'platform', 'domains', 'client', 'config', 'hosting', 'node', 'app'],
  app: [
    'kernel',
    'platform',
    'domains',
    'diffusion',
    'backends',
    'dispatcher',
    'background',
    'graphql',
    'node',
    'config',
  ],
  main: ['kernel', 'config', 'cli', 'app'],
};

/** A part is a folder of `src`, or a single file there (`app`, `main`). */
const pathOf = (/** @type {string} */ part) => `^src/${part}(/|\\.ts$)`;

const DOMAIN_INDEX = '^src/domains/[^/]+/index\\.ts$';

const layers = Object.entries(MAY_IMPORT).map(([part, allowed]) => ({
  name: `${part}-imports`,
  comment: `src/${part} may import ${allowed.join(', ') || 'nothing of ours but itself'}.`,
  severity: 'error',
  from: { path: pathOf(part) },
  to: { path: '^src/', pathNot: [part, ...allowed].map(pathOf) },
}));

export default {
  forbidden: [
    ...layers,
    {
      name: 'known-part',
      comment: 'A new part of src is placed in MAY_IMPORT first.',
      severity: 'error',
      from: { path: '^src/', pathNot: Object.keys(MAY_IMPORT).map(pathOf) },
      to: { path: '^src/' },
    },
    {
      name: 'domain-front-door',
      comment: 'A domain is entered by its index.ts; everything else in it is its own.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/domains/' },
      to: { path: '^src/domains/', pathNot: DOMAIN_INDEX },
    },
    {
      name: 'domains-meet-at-the-index',
      comment: 'A domain knows another by its index.ts alone.',
      severity: 'error',
      from: { path: '^src/domains/([^/]+)/' },
      to: { path: '^src/domains/', pathNot: [DOMAIN_INDEX, '^src/domains/$1/'] },
    },
    {
      name: 'diffusion-readers',
      comment: 'Only the generation and catalog domains and the dispatcher know diffusion.',
      severity: 'error',
      from: { path: '^src/domains/', pathNot: '^src/domains/(generation|catalog)/' },
      to: { path: '^src/diffusion/' },
    },
    {
      name: 'diffusion-is-pure',
      comment: 'No IO and one library: the tokenizer, which is given parsed JSON.',
      severity: 'error',
      from: { path: '^src/diffusion/' },
      to: { path: '.', pathNot: ['^src/', '^node_modules/@huggingface/tokenizers/'] },
    },
    {
      name: 'kernel-is-small',
      comment: 'The vocabulary of everything needs Node and the parser of its documents.',
      severity: 'error',
      from: { path: '^src/kernel/' },
      to: { dependencyTypesNot: ['core', 'local'], pathNot: '^node_modules/zod/' },
    },
    {
      name: 'database-in-stores',
      comment: 'Only stores (store.ts, claim-store.ts) and src/platform/db know the database client.',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/platform/db/', 'store\\.ts$', '^src/generated/'] },
      to: { path: ['^src/generated/prisma/', '^node_modules/@prisma/'] },
    },
    {
      name: 'postgres-driver',
      comment: 'Connections are opened by the platform.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/platform/' },
      to: { path: '^node_modules/(pg|pg-[a-z]+)/' },
    },
    {
      name: 'server-types',
      comment: 'The resolver types are the API’s, the operation types the client’s.',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/graphql/', '^src/generated/'] },
      to: { path: '^src/generated/graphql/' },
    },
    {
      name: 'operation-types',
      comment: 'The resolver types are the API’s, the operation types the client’s.',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/client/', '^src/generated/'] },
      to: { path: '^src/generated/client/' },
    },
    {
      name: 'generate-is-a-client',
      comment: '`darkroom generate` has what every customer has: the client.',
      severity: 'error',
      from: { path: '^src/cli/(run-)?generate' },
      to: { path: '^src/', pathNot: ['^src/cli/', '^src/client/', '^src/kernel/'] },
    },
    {
      name: 'no-cycles',
      comment: 'Two files that need each other are one file, or hide a third.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'declared-packages',
      comment: 'A package that src uses is a dependency of ours, not one of a dependency.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/generated/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'resolvable',
      comment: 'What is imported is there. (The one that is excepted consists of types only.)',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true, pathNot: '^@graphql-typed-document-node/core$' },
    },
  ],
  options: {
    // Tests may reach for whatever they need.
    exclude: { path: '\\.test\\.ts$' },
    doNotFollow: { path: ['^node_modules/', '^src/generated/'] },
    tsConfig: { fileName: 'tsconfig.json' },
    // A type is a dependency too.
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default'],
    },
  },
};
