import packageJson from '../package.json' with { type: 'json' };
import type { BackgroundOverrides } from './app/background-work.ts';
import { startBackgroundWork } from './app/background-work.ts';
import { openTokenizers } from './app/bundles.ts';
import { watchDatabase } from './app/failure-log.ts';
import type { Meter } from './app/meter.ts';
import { startMeter } from './app/meter.ts';
import type { Objects } from './app/objects.ts';
import { openObjects } from './app/objects.ts';
import { seedModels } from './app/seed-models.ts';
import { untilServed } from './app/until-served.ts';
import { createBell, createDoorbell } from './backends/bells/index.ts';
import { createBlobs, createImageLinks } from './backends/blobs/index.ts';
import { createMetrics } from './backends/metrics/index.ts';
import { createKserveConnector } from './backends/nodes/index.ts';
import { createPictures } from './backends/pictures/index.ts';
import type { Config, DatabaseUrls, Role } from './config/index.ts';
import { settingNames } from './config/index.ts';
import { DEFAULT_DISPATCHER_SETTINGS, startDispatcher } from './dispatcher/index.ts';
import type { Dispatcher, DispatcherSettings } from './dispatcher/index.ts';
import { createCatalog, findVersion } from './domains/catalog/index.ts';
import type { Fleet } from './domains/fleet/index.ts';
import { createFleet } from './domains/fleet/index.ts';
import type { Doorbell } from './domains/generation/index.ts';
import {
  createCompletion,
  createEvents,
  createGeneration,
  createWaiters,
} from './domains/generation/index.ts';
import { createMetering } from './domains/metering/index.ts';
import { createOperations, publishFigures } from './domains/operations/index.ts';
import { createScheduling } from './domains/scheduling/index.ts';
import { createAccess, createTenantDb, createTenants } from './domains/tenancy/index.ts';
import type { Api, Services } from './graphql/index.ts';
import { startApi } from './graphql/index.ts';
import type { Clock } from './kernel/clock.ts';
import { systemClock } from './kernel/clock.ts';
import type { Reach } from './kernel/fault-points.ts';
import { unarmed } from './kernel/fault-points.ts';
import type { NewId } from './kernel/ids.ts';
import { createIds } from './kernel/ids.ts';
import { once } from './kernel/once.ts';
import type { FailureLog, Outage } from './kernel/outage.ts';
import type { Random } from './kernel/random.ts';
import { systemRandom } from './kernel/random.ts';
import type { Bundle } from './platform/bundles/index.ts';
import type { Db } from './platform/db/index.ts';
import { checkWalls, isReachable, openDb, openListener } from './platform/db/index.ts';
import { serveMetrics, serveObjects } from './platform/http/index.ts';
import { OBJECTS_PATH } from './platform/objects/index.ts';
import type { Logger } from './platform/telemetry/index.ts';
import { EXPOSITION_CONTENT_TYPE } from './platform/telemetry/index.ts';

export type { NodeProbe, Operator } from './app/operator.ts';
export { checkSystemLogin, openOperations, openOperator, probeNode } from './app/operator.ts';

export interface AppOptions {
  readonly roles: ReadonlySet<Role>;
  readonly config: Config;
  /** The logins that the roles need, and of a hosted node that of `darkroom_system` or `darkroom_dispatcher`. */
  readonly urls: DatabaseUrls;
  /**
   * The login of `darkroom_system` that makes the models known, on a connection that is closed before
   * anybody is served; null: another process does that.
   */
  readonly seedUrl: string | null;
  readonly pepper: Uint8Array;
  readonly signingKey: Uint8Array;
  /** Where pictures are kept unless the configuration names a bucket. */
  readonly objectsDirectory: string;
  /** The models that the platform offers: what is made known of them, and what the API reads prompts with. */
  readonly bundles: readonly Bundle[];
  /** The node of our own, or null for none. */
  readonly node: OwnNode | null;
  readonly port: number;
  readonly introspection: boolean;
  readonly logger: Logger;
}

export interface OwnNode {
  /** One that no other host uses. */
  readonly name: string;
  /** `grpc://host:port` */
  readonly address: string;
  /** Whether it was started for this process, which then makes it known and forgets it at the end. */
  readonly isHosted: boolean;
}

/** What a test may put in the place of the real thing. */
export interface Overrides extends BackgroundOverrides {
  readonly clock?: Clock;
  readonly random?: Random;
  readonly dispatcher?: Partial<DispatcherSettings>;
  readonly reach?: Reach;
}

/** A running part of the platform: disposing stops taking requests, drains the jobs and closes everything. */
export interface App extends AsyncDisposable {
  /** Null without the role. */
  readonly api: Api | null;
  /**
   * Resolves once this process can do its part: with the role of a dispatcher, once a node runs jobs, for
   * it or for another dispatcher, or there is no node to wait for. Rejects with the reason of `signal`.
   */
  ready(signal: AbortSignal): Promise<void>;
  /** Gives jobs and nodes back at once, whatever runs. For a process that is about to end. */
  abandon(): Promise<void>;
}

// A process that is told twice to end has a second for everything.
const LAST_CLAIM_MS = 300;

const POOL_MAX = { app: 10, auth: 4, dispatcher: 6, system: 3 } as const;

/**
 * The composition root: the only place that constructs everything, and of that only what the roles need.
 * Rejects with a `StartError` when the database is not fit to be used or a port is taken, and leaves
 * nothing open then.
 */
export async function buildApp(options: AppOptions, overrides: Overrides = {}): Promise<App> {
  const { clock = systemClock, random = systemRandom, reach = unarmed } = overrides;
  const { roles } = options;
  await using stack = new AsyncDisposableStack();
  const newId = createIds(clock, random);
  const meter = stack.use(startMeter(roles, clock, newId));
  const base: Base = {
    options,
    overrides,
    stack,
    clock,
    random,
    reach,
    newId,
    meter,
    ...watchDatabase(clock, options.logger),
  };
  await prepare(base);
  const drivers = createDrivers(base);
  await announceNode(base, drivers);
  if (roles.has('background')) {
    const { store: objects } = await drivers.objects();
    startBackgroundWork({ ...base, systemDb: drivers.pool('system'), objects }, overrides, stack);
  }
  const jobs = roles.has('dispatcher') ? await startJobs(base, drivers) : null;
  const api = roles.has('api') ? await openApi(base, drivers) : null;
  meter.sources.dispatcher = jobs && (() => jobs.dispatcher.figures());
  meter.sources.api = api && (() => api.figures());
  stack.use(
    publishFigures({ db: drivers.pool(publisherOf(roles)), own: meter.own, clock, logger: base.log }),
  );

  // From here nothing can throw, so ownership passes to the caller. Until here
  // `await using` would have closed whatever had been opened.
  const owned = stack.move();
  return {
    api,
    ready: async (signal) => {
      const isNodeExpected = options.node !== null;
      if (jobs) await untilServed({ ...jobs, clock, isNodeExpected }, signal);
    },
    abandon: async () => jobs?.abandon(),
    async [Symbol.asyncDispose]() {
      // While the API says goodbye, other dispatchers take what is queued: here it would only be given back.
      await jobs?.dispatcher.stopClaiming();
      await owned.disposeAsync();
    },
  };
}

/** Looks at the database, and makes the models known where that is for this process to do. */
async function prepare({ options: { urls, seedUrl, bundles, logger }, newId }: Base): Promise<void> {
  await checkWalls({ urls: settingNames(seedUrl === null ? urls : { ...urls, system: seedUrl }) });
  if (seedUrl !== null) await seedModels(seedUrl, { bundles, newId, logger });
}

/** What everything is made of. Whatever is opened is put on the stack, and closed in reverse order. */
interface Base {
  readonly options: AppOptions;
  readonly overrides: Overrides;
  readonly stack: AsyncDisposableStack;
  readonly clock: Clock;
  readonly random: Random;
  readonly reach: Reach;
  readonly newId: NewId;
  readonly meter: Meter;
  readonly outage: Outage;
  readonly log: FailureLog;
}

/** What roles share, each opened when the first of them asks for it. */
interface Drivers {
  readonly pool: (role: keyof typeof POOL_MAX) => Db;
  readonly doorbell: () => Promise<Doorbell>;
  readonly objects: () => Promise<Objects>;
  /** What links to objects begin with. Known once the API listens; nobody can ask it for one before. */
  readonly baseUrl: { value: string };
}

function createDrivers({ options, stack, clock, random, outage }: Base): Drivers {
  const { urls, logger, config, objectsDirectory: directory, signingKey } = options;
  const open = (role: keyof typeof POOL_MAX) => () =>
    stack.adopt(
      openDb({
        url: urlOf(urls, role),
        poolMax: POOL_MAX[role],
        applicationName: `darkroom ${role}`,
        outage,
      }),
      (db) => db.$disconnect(),
    );
  const pools = {
    app: once(open('app')),
    auth: once(open('auth')),
    dispatcher: once(open('dispatcher')),
    system: once(open('system')),
  };
  const baseUrl = { value: config.http.publicUrl ?? '' };
  return {
    pool: (role) => pools[role](),
    doorbell: once(async () =>
      createDoorbell(
        stack.use(await openListener({ url: urlOf(urls, 'listen'), logger, clock, random, outage })),
      ),
    ),
    objects: once(async () =>
      stack.use(
        await openObjects({
          s3: config.s3,
          directory,
          baseUrl: () => baseUrl.value,
          signingKey,
          clock,
          random,
        }),
      ),
    ),
    baseUrl,
  };
}

function urlOf(urls: DatabaseUrls, login: keyof DatabaseUrls): string {
  const url = urls[login];
  if (url === undefined) throw new Error(`There is no login "${login}" for the roles of this process.`);
  return url;
}

/** `darkroom_system` where there is a choice: it alone may remove what dead processes of the others left. */
function publisherOf(roles: ReadonlySet<Role>): keyof typeof POOL_MAX {
  if (roles.has('background')) return 'system';
  return roles.has('dispatcher') ? 'dispatcher' : 'app';
}

/** Makes a node that was started for this process known, and forgets it once the dispatcher has let go of it. */
async function announceNode(
  { options: { node, urls }, stack, newId, log }: Base,
  { pool }: Drivers,
): Promise<void> {
  if (!node?.isHosted) return;
  const fleet = createFleet({ db: pool(urls.dispatcher === undefined ? 'system' : 'dispatcher'), newId });
  await fleet.announce(node.name, node.address);
  stack.defer(() =>
    fleet.remove(node.name).then(
      () => undefined,
      (error: unknown) => void log.failed(error, { node: node.name }, 'the node is still registered'),
    ),
  );
}

interface Jobs {
  readonly dispatcher: Dispatcher;
  readonly fleet: Fleet;
  readonly abandon: () => Promise<void>;
}

async function startJobs(base: Base, drivers: Drivers): Promise<Jobs> {
  const { options, overrides, stack, clock, random, reach, newId, log: logger } = base;
  const { node, config } = options;
  const dispatcherDb = drivers.pool('dispatcher');
  const doorbell = await drivers.doorbell();
  const objects = await drivers.objects();
  const bell = stack.use(createBell({ db: dispatcherDb, clock, logger }));
  const fleet = createFleet({ db: dispatcherDb, newId });
  const scheduling = createScheduling({ dispatcherDb, bell, newId });
  const dispatcher = stack.use(
    startDispatcher({
      fleet,
      scheduling,
      completion: createCompletion({ dispatcherDb, bell, newId, reach }),
      doorbell,
      connector: createKserveConnector({
        callTimeoutMs: config.nodeCallTimeoutMs,
        ownAddress: node?.address ?? null,
        clock,
        random,
      }),
      blobs: createBlobs({ objects: objects.store, clock, random }),
      pictures: createPictures(),
      findVersion: (id) => findVersion(dispatcherDb, id),
      newId,
      reach,
      clock,
      random,
      logger,
      settings: { ...DEFAULT_DISPATCHER_SETTINGS, ...overrides.dispatcher },
    }),
  );
  const abandon = async () => {
    await dispatcher.stopClaiming(LAST_CLAIM_MS);
    await Promise.all([scheduling.abandon(dispatcher.id), fleet.release(dispatcher.id)]);
  };
  return { dispatcher, fleet, abandon };
}

async function openApi(base: Base, drivers: Drivers): Promise<Api> {
  const { options, stack, clock, random, meter } = base;
  const { config, introspection, port, logger } = options;
  const { served } = await drivers.objects();
  const operations = createOperations({ db: drivers.pool('app'), own: meter.own });
  const api = stack.use(
    await startApi({
      services: { ...(await createServices(base, drivers)), operations },
      introspection,
      host: config.http.host,
      port,
      publicUrl: config.http.publicUrl ?? undefined,
      allowedOrigins: config.http.allowedOrigins,
      logger,
      clock,
      random,
      readiness: async () => ((await isReachable(drivers.pool('app'))) ? [] : ['database']),
      routes(http) {
        if (served !== null) {
          serveObjects(http, {
            path: OBJECTS_PATH,
            nowMs: () => clock.nowMs(),
            verify: (pathAndQuery) => served.verifySignedPath(pathAndQuery),
            open: (key) => served.open(key),
          });
        }
        serveMetrics(http, {
          token: config.http.metricsToken,
          contentType: EXPOSITION_CONTENT_TYPE,
          render: createMetrics({ operations, own: meter.own }),
        });
      },
    }),
  );
  drivers.baseUrl.value ||= new URL(api.httpUrl).origin;
  return api;
}

async function createServices(base: Base, drivers: Drivers): Promise<Omit<Services, 'operations'>> {
  const { options, stack, clock, random, reach, newId } = base;
  const { bundles, pepper } = options;
  const bell = stack.use(createBell({ db: drivers.pool('app'), clock, logger: base.log }));
  const db = createTenantDb({ db: drivers.pool('app'), clock });
  const { store: objects } = await drivers.objects();
  const links = createImageLinks({ objects, clock });
  const tokenizers = await openTokenizers(bundles);
  const platformVersion = packageJson.version;
  return {
    access: createAccess({ authDb: drivers.pool('auth'), pepper }),
    tenants: createTenants({ db }),
    metering: createMetering({ db }),
    catalog: createCatalog({ db }),
    generation: createGeneration({
      db,
      bell,
      random,
      newId,
      links,
      tokenizers,
      platformVersion,
      reach,
    }),
    events: createEvents({
      db,
      clock,
      random,
      waiters: stack.use(createWaiters(await drivers.doorbell(), clock)),
    }),
  };
}
