import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { App, Operator, Overrides } from '../../src/app.ts';
import { buildApp, openOperator } from '../../src/app.ts';
import type { Api } from '../../src/graphql/index.ts';
import type { Client } from '../../src/client/index.ts';
import { createClient } from '../../src/client/index.ts';
import { ALL_ROLES, readConfig } from '../../src/config/index.ts';
import type { Id } from '../../src/kernel/ids.ts';
import { openBundles } from '../../src/platform/bundles/index.ts';
import type { Logger } from '../../src/platform/telemetry/index.ts';
import { createLogger } from '../../src/platform/telemetry/index.ts';
import type { TestDatabase } from './database.ts';
import { createDatabase } from './database.ts';

export const MODELS = join(import.meta.dirname, '../../deploy/models');

/** A tenant of the platform under test, with a key that may do everything. */
export interface TestTenant {
  readonly id: Id<'tenant'>;
  readonly apiKey: string;
  readonly client: Client;
}

/** The whole platform in this process, on a database of its own. */
export interface TestApp extends AsyncDisposable {
  readonly app: App & { readonly api: Api };
  readonly api: string;
  readonly onboarding: Operator['onboarding'];
  createTenant(options?: {
    readonly credits?: number;
    readonly environment?: 'LIVE' | 'TEST';
  }): Promise<TestTenant>;
  /** Rows as the superuser sees them. */
  sql<Row extends object>(text: string, values?: readonly unknown[]): Promise<readonly Row[]>;
  /** What a raw GraphQL request is answered. */
  request(tenant: TestTenant | null, query: string, variables?: object): Promise<GraphqlAnswer>;
}

export interface GraphqlAnswer {
  readonly status: number;
  // The shape is the test's to know.
  readonly data: Record<string, never> | null;
  readonly errors: readonly { readonly message: string; readonly extensions: Record<string, unknown> }[];
}

export interface TestAppOptions {
  /** Without one jobs stay in the queue. */
  readonly nodeAddress?: string | null;
  /** A folder of bundles; by default the ones in the repository. */
  readonly models?: string;
  /** The caller's own, so that it can open it too; by default one that ends with the app. */
  readonly database?: TestDatabase;
  /** By default a free one. */
  readonly port?: number;
  /** Whether clients may ask for the schema; by default they may not. */
  readonly introspection?: boolean;
  /** By default one that says nothing. */
  readonly logger?: Logger;
  /** Settings as the environment would give them. */
  readonly variables?: Readonly<Record<string, string>>;
  /** A folder of the caller's; by default one that goes with the app. */
  readonly objectsDirectory?: string;
}

const PEPPER = Buffer.from('pepper of the tests');
const DEFAULTS = { nodeAddress: null, models: MODELS, port: 0, introspection: false, variables: {} };

export async function startApp(options: TestAppOptions = {}, overrides: Overrides = {}): Promise<TestApp> {
  const {
    nodeAddress,
    database: given,
    models,
    port,
    introspection,
    variables: env,
  } = { ...DEFAULTS, ...options };
  await using stack = new AsyncDisposableStack();
  const database = given ?? stack.use(await createDatabase());
  const objectsDirectory = options.objectsDirectory ?? (await makeFolder(stack));
  const app = stack.use(
    await buildApp(
      {
        roles: ALL_ROLES,
        config: readConfig(env).config,
        urls: database.urls,
        seedUrl: database.urls.system,
        pepper: PEPPER,
        signingKey: Buffer.alloc(32, 7),
        objectsDirectory,
        bundles: await openBundles(models),
        node: nodeAddress === null ? null : { name: 'test', address: nodeAddress, isHosted: true },
        port,
        introspection,
        logger: options.logger ?? createLogger('silent'),
      },
      overrides,
    ),
  );
  const { onboarding } = stack.use(openOperator(database.urls.system, PEPPER));
  const admin = stack.adopt(new pg.Pool({ connectionString: database.adminUrl, max: 2 }), (pool) =>
    pool.end(),
  );
  // Without a listener a server that is killed under an idle connection would end the process.
  admin.on('error', () => undefined);
  if (nodeAddress !== null) await app.ready(AbortSignal.timeout(30_000));
  const door = app.api;
  if (!door) throw new Error('The platform has no API.');
  const api = door.httpUrl;
  let tenants = 0;
  const owned = stack.move();
  return {
    app: { ...app, api: door },
    api,
    onboarding,
    async createTenant({ credits = 1_000, environment = 'LIVE' } = {}) {
      tenants += 1;
      const tenant = await onboarding.createTenant({
        name: `Tenant ${tenants}`,
        slug: `tenant-${tenants}`,
        credits,
      });
      const { text } = await onboarding.issueKey(tenant.id, { name: 'test', environment });
      return { id: tenant.id, apiKey: text, client: createClient({ api, apiKey: text }) };
    },
    async sql<Row extends object>(text: string, values: readonly unknown[] = []) {
      const { rows } = await admin.query<Row>(text, [...values]);
      return rows;
    },
    request: (tenant, query, variables = {}) => request(api, tenant, { query, variables }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function makeFolder(stack: AsyncDisposableStack): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'darkroom-test-objects-'));
  stack.defer(() => rm(path, { recursive: true }));
  return path;
}

async function request(api: string, tenant: TestTenant | null, body: object): Promise<GraphqlAnswer> {
  const answer = await fetch(api, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(tenant && { authorization: `Bearer ${tenant.apiKey}` }),
    },
    body: JSON.stringify(body),
  });
  const { data = null, errors = [] } = (await answer.json()) as Partial<GraphqlAnswer>;
  return { status: answer.status, data, errors };
}
