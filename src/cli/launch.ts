import { hostname } from 'node:os';
import { buildApp, openOperator, type App, type AppOptions } from '../app.ts';
import type { Config, DatabaseUrls, Secrets } from '../config/index.ts';
import { ALL_ROLES, readConfig } from '../config/index.ts';
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
import { DEFAULT_DATA, ENTRY, type StartFlags } from './start-options.ts';

/** A platform on this machine, or a part of one, ready to work. Disposing drains it and stops all that it started. */
export interface Platform extends AsyncDisposable {
  /**
   * What a program that started it needs to know; printed as one line by `start --json`. What it has not
   * is null: an API without the role, a node or a database that it does not host.
   */
  readonly readyLine: {
    readonly api: string | null;
    readonly ws: string | null;
    readonly node: string | null;
    readonly apiKey: string | null;
    readonly tenantId: string;
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
  const bundles = roles.has('api') ? await openBundles(flags.models) : [];

  await using stack = new AsyncDisposableStack();
  const parts = stack.use(await openParts(partsOptionsOf(options, { config, secrets, logger })));
  if (roles.has('api')) say('starting the API');
  const appOptions: AppOptions = {
    roles,
    config,
    urls: parts.urls,
    ...parts.keys,
    objectsDirectory: parts.folder.at('objects'),
    bundles,
    node: ownNodeOf(parts),
    port: flags.port,
    introspection: flags.introspection ?? false,
    logger,
  };
  // Once nobody is served with it any more: what is in the temporary folder is lost, and the database is not.
  const first: FirstKey = { text: null };
  if (parts.folder.isEphemeral && parts.adminUrl === null) stack.defer(() => revokeFirstKey(parts, first));
  const app = stack.use(await buildApp(appOptions, { reach: reachOf(config.fault, host) }));
  const readyLine = await readyLineOf(app, parts);
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

interface Settings {
  readonly config: Config;
  readonly secrets: Secrets;
  readonly logger: Logger;
}

function partsOptionsOf(
  { flags, signal, say }: LaunchOptions,
  { config, secrets, logger }: Settings,
): PartsOptions {
  if (flags.ephemeral && flags.data !== undefined) {
    throw new StartError('--data keeps the data and --ephemeral does not: give one of them.');
  }
  return {
    dataDirectory: flags.ephemeral ? null : (flags.data ?? DEFAULT_DATA),
    modelsDirectory: flags.models,
    secret: secrets.secret,
    database: config.database,
    needsNode: async (urls) => flags.node !== false && (config.database === null || !(await hasNodes(urls))),
    entry: ENTRY,
    logger,
    clock: systemClock,
    random: systemRandom,
    say,
    signal,
  };
}

/** Whether an operator has added nodes: then there is no need for one of our own. */
async function hasNodes({ system }: DatabaseUrls): Promise<boolean> {
  await using operator = openOperator(system, new Uint8Array());
  const nodes = await operator.fleet.list();
  return nodes.some(({ isHosted }) => !isHosted);
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

async function revokeFirstKey({ urls, keys }: Parts, { text }: FirstKey): Promise<void> {
  if (text === null) return;
  await using operator = openOperator(urls.system, keys.pepper);
  await operator.onboarding.revokeKeyText(text);
}

async function readyLineOf(
  { api, onboarding }: App,
  { folder, nodeAddress, adminUrl }: Parts,
): Promise<Platform['readyLine']> {
  const tenant = await firstTenant(onboarding);
  const key = api && (await firstKey(onboarding, { tenant, folder, random: systemRandom }));
  return {
    api: api?.httpUrl ?? null,
    ws: api?.wsUrl ?? null,
    node: nodeAddress,
    apiKey: key?.text ?? null,
    tenantId: tenant.id,
    databaseUrl: adminUrl,
    dataDir: folder.path,
  };
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
