import { hostname } from 'node:os';
import { buildApp, type App } from '../app.ts';
import { readConfig } from '../config/index.ts';
import { hostParts } from '../hosting/index.ts';
import { systemClock } from '../kernel/clock.ts';
import { StartError } from '../kernel/errors.ts';
import { systemRandom } from '../kernel/random.ts';
import { openBundles } from '../platform/bundles/index.ts';
import type { LogLevel } from '../platform/telemetry/index.ts';
import { createLogger } from '../platform/telemetry/index.ts';
import { firstTenant } from './first-tenant.ts';
import type { Host } from './host.ts';
import { DEFAULT_DATA, ENTRY, type StartFlags } from './start-options.ts';

/** A platform on this machine, ready to draw. Disposing drains it and stops all that it started. */
export interface Platform extends AsyncDisposable {
  /** What a program that started it needs to know; printed as one line by `start --json`. */
  readonly readyLine: {
    readonly api: string;
    readonly ws: string;
    readonly node: string;
    readonly apiKey: string;
    readonly tenantId: string;
    readonly databaseUrl: string | null;
    readonly dataDir: string;
  };
}

export interface LaunchOptions {
  readonly flags: StartFlags;
  /** Unless the environment says otherwise. */
  readonly logLevel: LogLevel;
  readonly signal: AbortSignal;
  /** Told what is being started. */
  readonly say: (text: string) => void;
}

const READY_TIMEOUT_MS = 60_000;

/**
 * Starts everything that `start` and `demo` promise. Rejects with a `StartError` that says what to do,
 * or with the reason of `signal`, and leaves nothing running and nothing half-done then.
 */
export async function launch({ environment }: Host, options: LaunchOptions): Promise<Platform> {
  const { flags, signal, say } = options;
  if (flags.ephemeral && flags.data !== undefined) {
    throw new StartError('--data keeps the data and --ephemeral does not: give one of them.');
  }
  const { config, secrets } = readConfig(environment);
  const logger = createLogger(config.logLevel ?? options.logLevel);
  const clock = systemClock;
  const random = systemRandom;
  const bundles = await openBundles(flags.models);

  await using stack = new AsyncDisposableStack();
  const parts = stack.use(
    await hostParts({
      dataDirectory: flags.ephemeral ? null : (flags.data ?? DEFAULT_DATA),
      modelsDirectory: flags.models,
      secret: secrets.secret,
      database: config.database,
      entry: ENTRY,
      logger,
      clock,
      random,
      say,
      signal,
    }),
  );
  say('starting the API');
  const { pepper, signingKey } = parts.keys;
  const app: App = stack.use(
    await buildApp({
      config,
      urls: parts.urls,
      pepper,
      signingKey,
      objectsDirectory: parts.folder.at('objects'),
      bundles,
      node: { name: `${hostname()} ${parts.folder.path}`, address: parts.nodeAddress },
      port: flags.port,
      introspection: flags.introspection ?? false,
      logger,
    }),
  );
  const { tenantId, apiKey } = await firstTenant(app.onboarding, parts.folder, random);
  await untilReady(app, signal);

  const owned = stack.move();
  return {
    readyLine: {
      api: app.api.httpUrl,
      ws: app.api.wsUrl,
      node: parts.nodeAddress,
      apiKey,
      tenantId,
      databaseUrl: parts.adminUrl,
      dataDir: parts.folder.path,
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function untilReady(app: App, signal: AbortSignal): Promise<void> {
  const timeout = AbortSignal.timeout(READY_TIMEOUT_MS);
  await app.ready(AbortSignal.any([signal, timeout])).catch((error: unknown) => {
    if (signal.aborted || !timeout.aborted) throw error;
    throw new StartError(
      `No inference node answered within ${READY_TIMEOUT_MS / 1000} s. The log above says why; DARKROOM_LOG_LEVEL=debug says more.`,
      { cause: error },
    );
  });
}
