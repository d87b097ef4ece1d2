import type { VariantVersion } from '../domains/catalog/index.ts';
import type { Fleet } from '../domains/fleet/index.ts';
import type { DispatcherFigures } from '../domains/operations/index.ts';
import type { Completion, Doorbell } from '../domains/generation/index.ts';
import { CANCEL_CHANNEL, QUEUE_CHANNEL } from '../domains/generation/index.ts';
import type { Scheduling } from '../domains/scheduling/index.ts';
import type { Clock } from '../kernel/clock.ts';
import { endsWithin } from '../kernel/ends-within.ts';
import type { Id } from '../kernel/ids.ts';
import type { Random } from '../kernel/random.ts';
import { repeat } from '../kernel/repeat.ts';
import type { Wake } from '../kernel/wake.ts';
import { createWake } from '../kernel/wake.ts';
import type { ActiveRuns } from './active-runs.ts';
import { createActiveRuns } from './active-runs.ts';
import { createCallMeter } from './figures.ts';
import type { FinishDeps } from './finish.ts';
import { beat } from './heartbeat.ts';
import type { HeldNodes } from './held-nodes.ts';
import { createHeldNodes } from './held-nodes.ts';
import type { DispatcherLogger } from './log.ts';
import type { NodeConnector } from './node-connector.ts';
import { createProgressWriter } from './progress.ts';
import type { DispatcherSettings } from './settings.ts';

export interface DispatcherDeps extends FinishDeps {
  readonly fleet: Fleet;
  readonly scheduling: Scheduling;
  readonly completion: Completion;
  readonly doorbell: Doorbell;
  readonly connector: NodeConnector;
  /** A variant's version, whoever owns it. */
  readonly findVersion: (id: Id<'version'>) => Promise<VariantVersion | null>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: DispatcherLogger;
  readonly settings: DispatcherSettings;
}

/**
 * Drives engines: holds nodes, claims jobs for their free instances, and runs each job step by step.
 * Disposing drains: nothing new is claimed, calls in flight end, and then unfinished jobs and the nodes are
 * given back at once. What the database does not take in time is left to the leases.
 */
export interface Dispatcher extends AsyncDisposable {
  readonly id: Id<'dispatcher'>;
  /** Resolves once a node has answered and jobs can run; rejects with the reason of `signal`. */
  ready(signal: AbortSignal): Promise<void>;
  /**
   * Claims nothing more; what runs goes on. Resolves once the claim on its way has been answered, or after
   * `limitMs` in milliseconds: a database that hangs keeps nobody from ending.
   */
  stopClaiming(limitMs?: number): Promise<void>;
  /** What its U-Net calls came to since the start. */
  figures(): DispatcherFigures;
}

/** What the loops of one dispatcher share. */
interface Parts {
  readonly id: Id<'dispatcher'>;
  readonly nodes: HeldNodes;
  readonly runs: ActiveRuns;
  /** Rung when there may be something to claim. */
  readonly wake: Wake;
  /** Rung when the nodes need a look. */
  readonly tendWake: Wake;
}

// A call that hangs until its deadline, the pictures, and a verdict that waits for the database: more than each of
// them takes by itself.
const DRAIN_MS = 120_000;

// As long as a transaction may take.
const DATABASE_MS = 10_000;

/** Starts a dispatcher; it takes whatever nodes are free, now and later. */
export function startDispatcher(deps: DispatcherDeps): Dispatcher {
  const id = deps.newId('dispatcher');
  const wake = createWake(deps.clock);
  const tendWake = createWake(deps.clock);
  const meter = createCallMeter(deps.clock);
  const isReady = Promise.withResolvers<void>();
  const nodes = createHeldNodes(id, {
    ...deps,
    meter,
    onSuspect: () => tendWake.ring(),
    onReady() {
      isReady.resolve();
      wake.ring();
    },
  });
  const progress = createProgressWriter(deps);
  const runs = createActiveRuns({ ...deps, nodes, progress, onEnded: () => wake.ring() });
  const parts: Parts = { id, nodes, runs, wake, tendWake };
  const claiming = new AbortController();
  const stopping = new AbortController();
  // Heartbeats and progress go on while the drain lasts, so that a job that is being ended stays ours.
  const drained = new AbortController();
  const silence = listen(deps, parts);
  const claims = claimLoop(deps, parts, claiming.signal);
  const loops = [
    tendLoop(deps, parts, stopping.signal),
    repeat(() => keepLeases(deps, parts), deps.clock, drained.signal),
    progress.loop(() => runs.byJob.values(), drained.signal),
  ];
  const stopClaiming = async (limitMs = DATABASE_MS) => {
    claiming.abort();
    if (!(await endsWithin(claims, limitMs, deps.clock)))
      deps.logger.warn({ limitMs }, 'a claim was not answered; the leases of what it takes will run out');
  };
  return {
    id,
    ready: (signal) => orAborted(isReady.promise, signal),
    stopClaiming,
    figures: () => meter.read(),
    async [Symbol.asyncDispose]() {
      await stopClaiming();
      stopping.abort();
      silence();
      runs.interruptAll('STOPPING');
      if (!(await endsWithin(runs.settled(), DRAIN_MS, deps.clock)))
        deps.logger.warn(
          { limitMs: DRAIN_MS },
          'jobs do not end; the stop goes on, and their leases will run out',
        );
      drained.abort();
      if (!(await endsWithin(Promise.all(loops), DATABASE_MS, deps.clock)))
        deps.logger.warn(
          { limitMs: DATABASE_MS },
          'the database does not answer; the stop goes on without it',
        );
      await nodes[Symbol.asyncDispose]();
    },
  };
}

function listen({ doorbell }: DispatcherDeps, { wake, runs }: Parts): () => void {
  const stops = [
    doorbell.onRing(QUEUE_CHANNEL, () => wake.ring()),
    doorbell.onRing(CANCEL_CHANNEL, (jobId) => {
      // Null: rings were missed, and the next heartbeat brings what they would have said.
      if (jobId !== null) runs.cancel(jobId);
    }),
  ];
  return () => stops.forEach((stop) => stop());
}

async function claimLoop(deps: DispatcherDeps, parts: Parts, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await claim(deps, parts, signal).catch((error: unknown) => {
      deps.logger.failed(error, {}, 'claiming failed');
    });
    await parts.wake.next(deps.settings.pollMs, signal);
  }
}

/** Claims jobs for the rows that are free: one that waits in an engine's queue could run elsewhere. */
async function claim(
  { scheduling, settings }: DispatcherDeps,
  { id, nodes, runs }: Parts,
  signal: AbortSignal,
): Promise<void> {
  for (const node of nodes.ready()) {
    for (const [engineKey, engine] of node.engines) {
      if (signal.aborted) return;
      const rows = engine.rowsMax - runs.rowsOn(node.node.id, engineKey);
      const parts = [...engine.parts.keys()];
      const request = { holder: id, engineKey, parts, rows, leaseMs: settings.leaseMs };
      await runs.startClaimed(scheduling.claim(request), node);
    }
  }
}

async function tendLoop(
  { logger, settings }: DispatcherDeps,
  { nodes, tendWake }: Parts,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await nodes.tend(signal).catch((error: unknown) => {
      logger.failed(error, {}, 'nodes could not be tended');
    });
    const hasNode = nodes.ready().length > 0;
    // Without a node nothing runs: look more often, one may be starting right now.
    await tendWake.next(hasNode ? settings.tendMs : settings.tendMs / 6, signal);
  }
}

async function keepLeases(deps: DispatcherDeps, { runs, nodes }: Parts): Promise<number> {
  await Promise.all([
    beat(deps, runs.byJob),
    nodes.renew().catch((error: unknown) => {
      deps.logger.failed(error, {}, 'the leases of nodes could not be renewed');
    }),
  ]);
  return deps.settings.heartbeatMs;
}

async function orAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
