import { readFile } from 'node:fs/promises';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import type { Clock } from '../kernel/clock.ts';
import { systemClock } from '../kernel/clock.ts';
import { endsWithin } from '../kernel/ends-within.ts';
import { messageOf, StartError } from '../kernel/errors.ts';
import type { Random } from '../kernel/random.ts';
import { systemRandom } from '../kernel/random.ts';
import type { Bundle } from '../platform/bundles/index.ts';
import {
  FLOW_CONTROL_BYTES,
  isLoopback,
  loadKserveService,
  MESSAGE_BYTES_MAX,
} from '../platform/kserve/index.ts';
import { createGate } from './gate.ts';
import type { NodeLogger } from './log.ts';
import { createModelStates } from './model-states.ts';
import { graphsOf, modelsOf, shareOut } from './served-models.ts';
import { createService } from './service.ts';
import { openSessionPool } from './session-pool.ts';
import { startSessionThread } from './session-thread.ts';
import { createSharedRegions } from './shared-regions.ts';
import { createStatistics } from './statistics.ts';

export interface NodeOptions {
  readonly bundles: readonly Bundle[];
  /**
   * Default: 127.0.0.1. The protocol has no authentication: open it to trusted networks only. Clients share
   * memory with the node where this is the loopback.
   */
  readonly host?: string;
  /** Default: 0, any free port. */
  readonly port?: number;
  /** Calls that run at the same time, each with its own copy of the sessions it has run. Default: 2. */
  readonly workers?: number;
  /**
   * Threads within one call. Default: 1: on two cores, two workers of one thread make 166
   * runs per second where one worker of two threads makes about 100.
   */
  readonly threads?: number;
  /** Requests of one model that may wait for a worker; more are refused as UNAVAILABLE. Default: 256. */
  readonly waitingMax?: number;
  /**
   * How long a stop waits for the requests that have been accepted, in milliseconds. After it those
   * that still wait for a worker are refused; an inference that has begun is never interrupted.
   * Default: 10,000.
   */
  readonly graceMs?: number;
  readonly logger: NodeLogger;
  readonly clock?: Clock;
  readonly random?: Random;
}

/**
 * A node that accepts requests. Disposing stops it: new requests get UNAVAILABLE, those that were
 * accepted have the grace to end, then the workers end and the port is closed.
 */
export interface RunningNode extends AsyncDisposable {
  /** `grpc://host:port`. */
  readonly address: string;
  /** Names of the served models. */
  readonly models: readonly string[];
}

// A dispatcher has no more calls in flight than there are workers: that many wait only where something is wrong.
const WAITING_MAX = 256;

// For the last answers to leave the socket and for clients to see that the server goes away.
const CLOSE_MS = 1_000;

/**
 * Checks the bundles' graphs and serves them over the KServe v2 protocol. Rejects with a
 * `StartError` when a graph is damaged or the port is taken, and leaves nothing running then.
 * The caller owns the node.
 */
export async function startNode(options: NodeOptions): Promise<RunningNode> {
  const { host = '127.0.0.1', port = 0, workers = 2, threads = 1, graceMs = 10_000 } = options;
  const { clock = systemClock, random = systemRandom, waitingMax = WAITING_MAX, logger } = options;
  const models = modelsOf(options.bundles);
  const graphs = graphsOf(models);
  const shares = shareOut(graphs, workers);
  const gate = createGate();

  await using stack = new AsyncDisposableStack();
  const server = new Server({
    'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
    'grpc-node.flow_control_window': FLOW_CONTROL_BYTES,
  });
  // Disposal runs backwards: requests end, then the workers, and the port is closed last, so that
  // health calls are answered and late requests refused in words until then.
  stack.defer(() => closeServer(server, clock));
  const start = (place: number | null) => {
    const checks = place === null ? [] : (shares[place] ?? []);
    return startSessionThread({ graphs, checks, intraOpThreads: threads });
  };
  const statistics = createStatistics({ clock });
  const pool = stack.use(
    await openSessionPool({ size: workers, waitingMax, statistics, start, clock, random, logger }),
  );
  const version = await packageVersion();
  const service = createService({
    models: createModelStates({ models, pool, statistics }),
    pool,
    statistics,
    gate,
    regions: stack.use(createSharedRegions()),
    isSharing: isLoopback(host),
    instances: workers,
    version,
    logger,
  });
  server.addService({ ...loadKserveService() }, service);
  const boundPort = await bind(server, host, port);
  stack.defer(async () => {
    if (!(await endsWithin(gate.close(), graceMs, clock)))
      logger.warn({ graceMs }, 'the node stops although accepted requests are not done');
  });
  logger.info({ host, port: boundPort, models: models.size, workers }, 'the inference node is ready');

  const owned = stack.move();
  return {
    address: `grpc://${authority(host, boundPort)}`,
    models: [...models.keys()],
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function packageVersion(): Promise<string> {
  const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8');
  const { version } = JSON.parse(text) as { readonly version: string };
  return version;
}

function authority(host: string, port: number): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function bind(server: Server, host: string, port: number): Promise<number> {
  const at = authority(host, port);
  return new Promise((resolve, reject) => {
    server.bindAsync(at, ServerCredentials.createInsecure(), (error, boundPort) => {
      if (error)
        reject(
          new StartError(
            `The inference node cannot listen on ${at}: ${messageOf(error)}. Choose another port, or 0 for a free one.`,
          ),
        );
      else resolve(boundPort);
    });
  });
}

async function closeServer(server: Server, clock: Clock): Promise<void> {
  const closed = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
  if (!(await endsWithin(closed, CLOSE_MS, clock))) server.forceShutdown();
}
