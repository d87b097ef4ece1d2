import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * One thing that a clone needs before it can run. It is stale when what it makes is missing or
 * when the stamp differs from the digest of what it was made from.
 *
 * @typedef {object} Step
 * @property {string} says Told to the user when it begins.
 * @property {string} failed Told to the user when it fails.
 * @property {readonly string[]} inputs Files, and folders as `path/*.ext`, all below.
 * @property {string} output
 * @property {string} stamp
 * @property {'npm' | 'node'} tool
 * @property {readonly string[]} args
 * @property {Readonly<Record<string, string>>} env
 */

/** @type {readonly Step[]} */
export const STEPS = [
  {
    says: 'Installing packages. This happens once and takes about a minute.',
    failed: 'The packages could not be installed: npm says why above. Once that is mended, start again.',
    inputs: ['package.json', 'package-lock.json'],
    output: 'node_modules/.package-lock.json',
    stamp: 'node_modules/.darkroom-packages',
    tool: 'npm',
    // Not `npm ci`: it refuses lockfiles that lack another platform's optional binaries. Install
    // scripts are not needed and one of them downloads hundreds of megabytes. Development packages
    // are part of it also under NODE_ENV=production, because code is generated from them.
    args: [
      'install',
      '--no-audit',
      '--no-fund',
      '--ignore-scripts',
      '--no-save',
      '--loglevel=error',
      '--include=dev',
      '--include=optional',
    ],
    env: {},
  },
  {
    says: 'Generating the database client.',
    failed: 'The database client could not be generated from prisma/schema.prisma: Prisma says why above.',
    inputs: ['package-lock.json', 'prisma/schema.prisma', 'prisma.config.ts'],
    output: 'src/generated/prisma/client.ts',
    stamp: 'src/generated/.prisma',
    tool: 'node',
    args: ['node_modules/prisma/build/index.js', 'generate'],
    // Prisma would download an engine that generating does not use: a program that does nothing
    // stands in for it.
    env: {
      PRISMA_SCHEMA_ENGINE_BINARY: process.platform === 'darwin' ? '/usr/bin/true' : '/bin/true',
      PRISMA_HIDE_UPDATE_MESSAGE: '1',
      CHECKPOINT_DISABLE: '1',
    },
  },
  {
    says: 'Generating the GraphQL types.',
    failed: 'The GraphQL types could not be generated from schema.graphql: the generator says why above.',
    inputs: ['package-lock.json', 'schema.graphql', 'infra/codegen.ts', 'src/client/*.graphql'],
    output: 'src/generated/graphql/resolvers.ts',
    stamp: 'src/generated/.graphql',
    tool: 'node',
    args: ['node_modules/@graphql-codegen/cli/esm/bin.js', '--config', 'infra/codegen.ts'],
    env: {},
  },
];

/**
 * @param {string} root
 * @param {Step} step
 */
export function isStale(root, step) {
  const stamp = join(root, step.stamp);
  if (!existsSync(join(root, step.output)) || !existsSync(stamp)) return true;
  return readFileSync(stamp, 'utf8') !== digestOf(root, step);
}

/**
 * @param {string} root
 * @param {Step} step
 */
export function markStale(root, step) {
  rmSync(join(root, step.stamp), { force: true });
}

/**
 * @param {string} root
 * @param {Step} step
 */
export function markFresh(root, step) {
  mkdirSync(dirname(join(root, step.stamp)), { recursive: true });
  writeFileSync(join(root, step.stamp), digestOf(root, step));
}

/**
 * Content, not times: a checkout sets every time anew, and a copied clone keeps none.
 *
 * @param {string} root
 * @param {Step} step
 */
function digestOf(root, { inputs, args }) {
  const hash = createHash('sha256');
  // A folder that is shared between machines holds binaries of one of them.
  hash.update(JSON.stringify([process.platform, process.arch, args]));
  for (const path of inputs.flatMap((input) => expand(root, input))) {
    const content = readFileSync(join(root, path));
    hash.update(`\n${path} ${content.length}\n`).update(content);
  }
  return hash.digest('hex');
}

/**
 * @param {string} root
 * @param {string} input
 */
function expand(root, input) {
  const [folder = '', extension] = input.split('/*');
  if (extension === undefined) return [input];
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith(extension))
    .toSorted()
    .map((path) => join(folder, path));
}
