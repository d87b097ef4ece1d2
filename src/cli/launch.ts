import { hostname } from 'node:os';
import { buildApp, openOperator, type App, type AppOptions } from '../app.ts';
import type { Config, DatabaseUrls, Role, Secrets } from '../config/index.ts';
import { ALL_ROLES, loginsOf, readConfig } from '../config/index.ts';
import type { Parts, PartsOptions } from '../hosting/index.ts';
import { openParts } from '../hosting/index.ts';
import { systemClock } from '../kernel/clock.ts';
import { StartError } from '../kernel/errors.ts';
import type { Fault, Reach } from '../kernel/fault-points.ts';
import { armed, unarmed } from '../kernel/fault-points.ts';
import { systemRandom } from '../kernel/random.ts';
import { openBundles } from '../platform/bundles/index.ts';
import type { Logger, LogLevel } from '../platform/telemetry/index.ts';
import { createLogger } from '../platform/telemetry/index.ts';
import { firstKey, firstTenant } from './first-tenant.ts';
import type { Host } from './host.ts';
import { tellFaults } from './tell-faults.ts';
import { DEFAULT_DATA, ENTRY, type StartFlags } from './start-options.ts';

/** A platform on this machine, or a part of one, ready to work. Disposing drains it and stops all that it started. */
export interface Platform extends AsyncDisposable {
  /**
   * What a program that started it needs to know; printed as one line by `start --json`. What it has not
   * is null: an API without the role, a tenant and a key without the login that makes them, a node or a
   * database that it does not host.
   */
  readonly readyLine: {
    readonly api: string | null;
    readonly ws: string | null;
    readonly node: string | null;
    readonly apiKey: string | null;
    readonly tenantId: string | null;
    readonly databaseUrl: string | null;
    readonly dataDir: string;
  };
  /** Resolves with the reason when it cannot go on and must be started again. */
  readonly outdated: Promise<StartError>;
  /** Gives back at once what a drain would give back in time. For a process that is about to end. */
  abandon(): Promise<void>;
}

export interface LaunchOptions {
  readonly flags: StartFlags;
  /** Unless the environment says otherwise. */
  readonly logLevel: LogLevel;
  readonly signal: AbortSignal;
  /** Told what is being started. */
  readonly say: (text: string) => void;
}

const OWN_NODE_TIMEOUT_MS = 60_000;
const OTHER_NODES_TIMEOUT_MS = 10_000;

/**
 * Starts everything that `start` and `demo` promise. Rejects with a `StartError` that says what to do,
 * or with the reason of `signal`, and leaves nothing running and nothing half-done then.
 */
export async function launch(host: Host, options: LaunchOptions): Promise<Platform> {
  const { flags, say } = options;
  const { config, secrets } = readConfig(host.environment);
  const logger = createLogger(config.logLevel ?? options.logLevel);
  const roles = flags.roles ?? ALL_ROLES;
  const database = config.database && loginsOf(roles, config.database);
  const bundles = canSeed(roles) ? await openBundles(flags.models) : [];

  await using stack = new AsyncDisposableStack();
  stack.use(tellFaults(host, logger));
  const partsOptions = partsOptionsOf(options, { config, secrets, logger, database });
  const parts = stack.use(await openParts(partsOptions));
  if (roles.has('api')) announceApi(config, say);
  const seedUrl = seedUrlOf(roles, config.database ?? parts.urls);
  const appOptions: AppOptions = {
    roles,
    config,
    ...placeOf(parts, roles),
    seedUrl,
    bundles,
    port: flags.port,
    introspection: flags.introspection ?? false,
    logger,
  };
  // Once nobody is served with it any more: what is in the temporary folder is lost, and the database is not.
  const first: FirstKey = { text: null };
  if (seedUrl !== null) stack.defer(() => revokeFirstKey(seedUrl, parts, first));
  const app = stack.use(await buildApp(appOptions, { reach: reachOf(config.fault, host) }));
  const readyLine = await readyLineOf(app, parts, seedUrl);
  first.text = readyLine.apiKey;
  await untilReady(app, parts, options);

  const owned = stack.move();
  return {
    readyLine,
    outdated: parts.outdated,
    abandon: () => app.abandon(),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function announceApi({ http: { host, publicUrl } }: Config, say: LaunchOptions['say']): void {
  const isEverywhere = host === '0.0.0.0' || host === '::';
  if (isEverywhere && publicUrl === null) {
    say(
      `clients on other machines need DARKROOM_PUBLIC_URL: with DARKROOM_HOST=${host} alone, links to pictures point to this one`,
    );
  }
  say('starting the API');
}

/** Whether a process of these roles makes models and the first tenant known, given the login that may. */
function canSeed(roles: ReadonlySet<Role>): boolean {
  return roles.has('api') || roles.has('background');
}

function seedUrlOf(roles: ReadonlySet<Role>, { system }: DatabaseUrls): string | null {
  return canSeed(roles) && system !== undefined ? system : null;
}

/** What the app takes of the place that it stands in. */
function placeOf(
  parts: Parts,
  roles: ReadonlySet<Role>,
): Pick<AppOptions, 'urls' | 'pepper' | 'signingKey' | 'objectsDirectory' | 'node'> {
  return {
    // The host of the embedded Postgres has them all anyway, and makes its node known with one of them.
    urls: parts.isHost ? parts.urls : loginsOf(roles, parts.urls),
    ...parts.keys,
    objectsDirectory: parts.folder.at('objects'),
    node: ownNodeOf(parts),
  };
}

interface Settings {
  readonly config: Config;
  readonly secrets: Secrets;
  readonly logger: Logger;
  readonly database: DatabaseUrls | null;
}

function partsOptionsOf(
  { flags, signal, say }: LaunchOptions,
  { secrets, logger, database }: Settings,
): PartsOptions {
  if (flags.ephemeral && flags.data !== undefined) {
    throw new StartError('--data keeps the data and --ephemeral does not: give one of them.');
  }
  return {
    dataDirectory: flags.ephemeral ? null : (flags.data ?? DEFAULT_DATA),
    modelsDirectory: flags.models,
    secret: secrets.secret,
    database,
    needsNode: async (urls) => flags.node !== false && (database === null || (await lacksNode(urls, say))),
    entry: ENTRY,
    logger,
    clock: systemClock,
    random: systemRandom,
    say,
    signal,
  };
}

/** Whether no operator has added a node: then there is need for one of our own. */
async function lacksNode({ dispatcher, system }: DatabaseUrls, say: LaunchOptions['say']): Promise<boolean> {
  const url = dispatcher ?? system;
  if (url === undefined) {
    say('no inference node is started: an API alone has no login that could make one known');
    return false;
  }
  await using operator = openOperator(url, new Uint8Array());
  const nodes = await operator.fleet.list();
  return nodes.every(({ isHosted }) => isHosted);
}

function ownNodeOf({ folder, isHost, nodeAddress }: Parts): AppOptions['node'] {
  if (nodeAddress === null) return null;
  return { name: `${hostname()} ${folder.path}`, address: nodeAddress, isHosted: isHost };
}

function reachOf(fault: Fault | null, { stderr, strike }: Host): Reach {
  if (!fault) return unarmed;
  return armed(fault, ({ point, action, nth }) => {
    stderr.write(`darkroom: fault ${point}:${action}:${nth}\n`);
    strike(action);
  });
}

interface FirstKey {
  text: string | null;
}

async function revokeFirstKey(
  systemUrl: string,
  { keys, folder, adminUrl }: Parts,
  { text }: FirstKey,
): Promise<void> {
  const isLost = folder.isEphemeral && adminUrl === null;
  if (text === null || !isLost) return;
  await using operator = openOperator(systemUrl, keys.pepper);
  await operator.onboarding.revokeKeyText(text);
}

async function readyLineOf(app: App, parts: Parts, seedUrl: string | null): Promise<Platform['readyLine']> {
  const { apiKey, tenantId } = await firstOf(app, parts, seedUrl);
  return {
    api: app.api?.httpUrl ?? null,
    ws: app.api?.wsUrl ?? null,
    node: parts.nodeAddress,
    apiKey,
    tenantId,
    databaseUrl: parts.adminUrl,
    dataDir: parts.folder.path,
  };
}

/** The tenant that every installation begins with, and of an API its key; nulls without the login for it. */
async function firstOf(
  { api }: App,
  { folder, keys }: Parts,
  systemUrl: string | null,
): Promise<Pick<Platform['readyLine'], 'apiKey' | 'tenantId'>> {
  if (systemUrl === null) return { apiKey: null, tenantId: null };
  await using operator = openOperator(systemUrl, keys.pepper);
  const tenant = await firstTenant(operator.onboarding);
  const key = api && (await firstKey(operator.onboarding, { tenant, folder, random: systemRandom }));
  return { apiKey: key?.text ?? null, tenantId: tenant.id };
}

/** A node of our own is waited for, or there is something wrong with it; others may come when they like. */
async function untilReady(
  app: App,
  { isHost, nodeAddress }: Parts,
  { signal, say }: LaunchOptions,
): Promise<void> {
  const isOurs = isHost && nodeAddress !== null;
  const timeoutMs = isOurs ? OWN_NODE_TIMEOUT_MS : OTHER_NODES_TIMEOUT_MS;
  const timeout = AbortSignal.timeout(timeoutMs);
  await app.ready(AbortSignal.any([signal, timeout])).catch((error: unknown) => {
    if (signal.aborted || !timeout.aborted) throw error;
    if (!isOurs) {
      say('no inference node answers yet; jobs wait until one does');
      return;
    }
    throw new StartError(
      `No inference node answered within ${timeoutMs / 1000} s. The log above says why; DARKROOM_LOG_LEVEL=debug says more.`,
      { cause: error },
    );
  });
}
