import packageJson from '../package.json' with { type: 'json' };
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BackgroundSettings } from './background/index.ts';
import { DEFAULT_BACKGROUND_SETTINGS, startBackground } from './background/index.ts';
import { createBell, createDoorbell } from './backends/bells/index.ts';
import { createBlobs, createImageLinks } from './backends/blobs/index.ts';
import { createKserveConnector } from './backends/nodes/index.ts';
import { createPictures } from './backends/pictures/index.ts';
import type { Config, DatabaseUrls } from './config/index.ts';
import { settingNames } from './config/index.ts';
import type { Tokenizer } from './diffusion/index.ts';
import {
  BundleError,
  isBuilt,
  openTokenizer,
  parseSchedulerConfig,
  SCHEDULER_NAMES,
  schedulerOf,
} from './diffusion/index.ts';
import { DEFAULT_DISPATCHER_SETTINGS, startDispatcher } from './dispatcher/index.ts';
import type { Dispatcher, DispatcherSettings } from './dispatcher/index.ts';
import { createCatalog, findVersion, seedPlatformVariants } from './domains/catalog/index.ts';
import { createFleet } from './domains/fleet/index.ts';
import {
  createCompletion,
  createEvents,
  createGeneration,
  createWaiters,
} from './domains/generation/index.ts';
import { createMetering, grantCredits } from './domains/metering/index.ts';
import { createScheduling } from './domains/scheduling/index.ts';
import type { Onboarding } from './domains/tenancy/index.ts';
import { createAccess, createOnboarding, createTenants } from './domains/tenancy/index.ts';
import type { Api, SchedulerInfo, Services } from './graphql/index.ts';
import { startApi } from './graphql/index.ts';
import type { Clock } from './kernel/clock.ts';
import { systemClock } from './kernel/clock.ts';
import { messageOf, StartError } from './kernel/errors.ts';
import type { NewId } from './kernel/ids.ts';
import { createIds } from './kernel/ids.ts';
import type { Random } from './kernel/random.ts';
import { systemRandom } from './kernel/random.ts';
import type { Bundle } from './platform/bundles/index.ts';
import type { Db } from './platform/db/index.ts';
import { checkWalls, isReachable, openDb, openListener } from './platform/db/index.ts';
import { serveObjects } from './platform/http/index.ts';
import { OBJECTS_PATH, openLocalStore } from './platform/objects/index.ts';
import type { Logger } from './platform/telemetry/index.ts';

export interface AppOptions {
  readonly config: Config;
  readonly urls: DatabaseUrls;
  readonly pepper: Uint8Array;
  readonly signingKey: Uint8Array;
  readonly objectsDirectory: string;
  /** The models that the platform offers. */
  readonly bundles: readonly Bundle[];
  /** A node of our own to register, `grpc://host:port`, under a name that no other host uses; null for none. */
  readonly node: { readonly name: string; readonly address: string } | null;
  readonly port: number;
  readonly introspection: boolean;
  readonly logger: Logger;
}

/** What a test may put in the place of the real thing. */
export interface Overrides {
  readonly clock?: Clock;
  readonly random?: Random;
  readonly dispatcher?: Partial<DispatcherSettings>;
  readonly background?: Partial<BackgroundSettings>;
}

/** A running platform: disposing stops taking requests, drains the jobs and closes everything. */
export interface App extends AsyncDisposable {
  readonly api: Api;
  readonly onboarding: Onboarding;
  /** Resolves once jobs can run; rejects with the reason of `signal`. */
  ready(signal: AbortSignal): Promise<void>;
}

const POOL_MAX = { app: 10, auth: 4, dispatcher: 6, system: 3 } as const;

/**
 * The composition root: the only place that constructs everything. Rejects with a `StartError` when
 * the database is not fit to be used or a port is taken, and leaves nothing open then.
 */
export async function buildApp(options: AppOptions, overrides: Overrides = {}): Promise<App> {
  const { clock = systemClock, random = systemRandom } = overrides;
  await using stack = new AsyncDisposableStack();
  const base: Base = { options, overrides, stack, clock, random, newId: createIds(clock, random) };
  await checkWalls({ urls: settingNames(options.urls) });
  const drivers = await openDrivers(base);
  await seedPlatformVariants(
    { systemDb: drivers.systemDb, newId: base.newId },
    await Promise.all(options.bundles.map(withSchedulerConfig)),
  );
  const services = await createServices(base, drivers);
  const dispatcher = await startWork(base, drivers);
  const api = stack.use(await openApi(base, drivers, services));
  drivers.baseUrl.value ||= new URL(api.httpUrl).origin;

  // From here nothing can throw, so ownership passes to the caller. Until here
  // `await using` would have closed whatever had been opened.
  const owned = stack.move();
  return {
    api,
    onboarding: onboardingOn(drivers.systemDb, options.pepper, base),
    ready: (signal) => dispatcher.ready(signal),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** What everything is made of. Whatever is opened is put on the stack, and closed in reverse order. */
interface Base {
  readonly options: AppOptions;
  readonly overrides: Overrides;
  readonly stack: AsyncDisposableStack;
  readonly clock: Clock;
  readonly random: Random;
  readonly newId: NewId;
}

type Drivers = Awaited<ReturnType<typeof openDrivers>>;

async function openDrivers({ options, stack, clock, random }: Base) {
  const { urls, logger, config } = options;
  const open = (url: string, role: keyof typeof POOL_MAX): Db =>
    stack.adopt(openDb({ url, poolMax: POOL_MAX[role], applicationName: `darkroom ${role}` }), (db) =>
      db.$disconnect(),
    );
  const dispatcherDb = open(urls.dispatcher, 'dispatcher');
  const doorbell = createDoorbell(stack.use(await openListener({ url: urls.listen, logger, clock, random })));
  // Known once the API listens: links are signed for whoever asks it, and nobody can before.
  const baseUrl = { value: config.http.publicUrl ?? '' };
  const { objectsDirectory: directory, signingKey } = options;
  const objects = await openLocalStore({
    directory,
    baseUrl: () => baseUrl.value,
    signingKey,
    clock,
    random,
  });
  return {
    db: open(urls.app, 'app'),
    authDb: open(urls.auth, 'auth'),
    dispatcherDb,
    systemDb: open(urls.system, 'system'),
    doorbell,
    bell: stack.use(createBell({ db: dispatcherDb, logger })),
    objects: stack.use(objects),
    baseUrl,
  };
}

async function createServices(
  base: Base,
  { db, authDb, bell, doorbell, objects }: Drivers,
): Promise<Services> {
  const { options, stack, clock, random, newId } = base;
  const links = createImageLinks({ objects, clock });
  const tokenizers = await openTokenizers(options.bundles);
  const platformVersion = packageJson.version;
  return {
    access: createAccess({ authDb, pepper: options.pepper }),
    tenants: createTenants({ db }),
    metering: createMetering({ db }),
    catalog: createCatalog({ db }),
    generation: createGeneration({ db, bell, clock, random, newId, links, tokenizers, platformVersion }),
    events: createEvents({ db, waiters: stack.use(createWaiters(doorbell, clock)) }),
    schedulers: schedulerInfos(),
  };
}

/** Starts what works through the queue: the reaper and the dispatcher. */
async function startWork(
  base: Base,
  { dispatcherDb, systemDb, bell, doorbell, objects }: Drivers,
): Promise<Dispatcher> {
  const { options, overrides, stack, clock, random, newId } = base;
  const { logger, node, config } = options;
  const fleet = createFleet({ dispatcherDb, newId });
  if (node) {
    await fleet.register(node.name, node.address);
    // After the dispatcher has let go of it: it ends with this process, and nobody should look for it.
    stack.defer(() =>
      fleet.forget(node.name).catch((error: unknown) => {
        logger.warn({ node: node.name, reason: messageOf(error) }, 'the node is still registered');
      }),
    );
  }
  const background = { ...DEFAULT_BACKGROUND_SETTINGS, ...overrides.background };
  stack.use(startBackground({ systemDb, bell, newId, clock, logger, settings: background }));
  return stack.use(
    startDispatcher({
      fleet,
      scheduling: createScheduling({ dispatcherDb, bell, newId }),
      completion: createCompletion({ dispatcherDb, bell, newId }),
      doorbell,
      connector: createKserveConnector({
        callTimeoutMs: config.nodeCallTimeoutMs,
        ownAddress: node?.address ?? null,
        clock,
      }),
      blobs: createBlobs({ objects, clock, random }),
      pictures: createPictures(),
      findVersion: (id) => findVersion(dispatcherDb, id),
      newId,
      clock,
      random,
      logger,
      settings: { ...DEFAULT_DISPATCHER_SETTINGS, ...overrides.dispatcher },
    }),
  );
}

function openApi(
  { options, clock, random }: Base,
  { db, objects }: Drivers,
  services: Services,
): Promise<Api> {
  const { config, introspection, port, logger } = options;
  return startApi({
    services,
    introspection,
    host: config.http.host,
    port,
    publicUrl: config.http.publicUrl ?? undefined,
    allowedOrigins: config.http.allowedOrigins,
    logger,
    clock,
    random,
    readiness: async () => ((await isReachable(db)) ? [] : ['database']),
    routes: (http) =>
      serveObjects(http, {
        path: OBJECTS_PATH,
        nowMs: () => clock.nowMs(),
        verify: (pathAndQuery) => objects.verifySignedPath(pathAndQuery),
        open: (key) => objects.open(key),
      }),
  });
}

/** What an operator's commands need of the platform: tenants and keys, and nothing that runs. */
export async function openOnboarding(
  systemUrl: string,
  pepper: Uint8Array,
): Promise<Onboarding & AsyncDisposable> {
  const systemDb = openDb({ url: systemUrl, poolMax: 1, applicationName: 'darkroom command' });
  const onboarding = onboardingOn(systemDb, pepper, { clock: systemClock, random: systemRandom });
  return { ...onboarding, [Symbol.asyncDispose]: () => systemDb.$disconnect() };
}

function onboardingOn(
  systemDb: Db,
  pepper: Uint8Array,
  { clock, random }: { readonly clock: Clock; readonly random: Random },
): Onboarding {
  const newId = createIds(clock, random);
  return createOnboarding({ systemDb, pepper, clock, random, newId }, (tx, tenantId, credits) =>
    grantCredits(tx, newId, { tenantId, credits, note: 'opening balance' }),
  );
}

function schedulerInfos(): readonly SchedulerInfo[] {
  return SCHEDULER_NAMES.map((name) => ({
    name,
    isBuilt: isBuilt(name),
    sigmaSchedules: isBuilt(name) ? schedulerOf(name).sigmaSchedules : [],
  }));
}

async function withSchedulerConfig(bundle: Bundle): Promise<Bundle & { readonly schedulerConfig: object }> {
  const json: unknown = JSON.parse(
    await readFile(join(bundle.directory, bundle.manifest.schedulerConfig), 'utf8'),
  );
  // Parsed for its errors: what is kept is the file itself, which is what the parser reads again later.
  asStartError(bundle, () => parseSchedulerConfig(json));
  return { ...bundle, schedulerConfig: Object(json) };
}

async function openTokenizers(bundles: readonly Bundle[]): Promise<(digest: string) => Tokenizer | null> {
  const opened = await Promise.all(
    bundles.map(async ({ directory, manifest, digest }) => {
      const read = (name: string) => readFile(join(directory, manifest.tokenizer, name), 'utf8');
      const [vocab, merges, config] = await Promise.all([
        read('vocab.json'),
        read('merges.txt'),
        read('tokenizer_config.json'),
      ]);
      return [
        digest,
        openTokenizer({ vocab: JSON.parse(vocab), merges, config: JSON.parse(config) }),
      ] as const;
    }),
  );
  const byDigest = new Map(opened);
  return (digest) => byDigest.get(digest) ?? null;
}

/** A bundle that contradicts itself is for the operator to mend, before any job meets it. */
function asStartError<T>({ directory }: Pick<Bundle, 'directory'>, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof BundleError)) throw error;
    throw new StartError(`The bundle ${directory} cannot be used: ${error.message}`, { cause: error });
  }
}
