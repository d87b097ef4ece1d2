import { isDeepStrictEqual } from 'node:util';
import type { Fleet, HeldNode } from '../domains/fleet/index.ts';
import type { Backoff } from '../kernel/backoff.ts';
import { backoffMs } from '../kernel/backoff.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Random } from '../kernel/random.ts';
import { isRetryableDatabaseError } from '../platform/db/index.ts';
import type { Doubts } from './doubts.ts';
import { createDoubts } from './doubts.ts';
import { EngineError } from './engines.ts';
import type { CallMeter } from './figures.ts';
import type { Lanes } from './lanes.ts';
import { createLanes } from './lanes.ts';
import type { DispatcherLogger } from './log.ts';
import type { NodeConnection, NodeConnector, NodeReport } from './node-connector.ts';
import type { NodeEngine } from './served-engines.ts';
import { toEngineRecords, toNodeEngines } from './served-engines.ts';

/** One node while this dispatcher holds it. */
export interface Holding {
  readonly node: HeldNode;
  readonly connection: NodeConnection;
  readonly lanes: Lanes;
  /** Which of the models that the node says are ready are given no calls. */
  readonly doubts: Doubts;
  engines: ReadonlyMap<string, NodeEngine> | null;
  failures: number;
  probeAtMs: number;
  /** The probe under way, or null. */
  probe: Promise<void> | null;
  /** How often the node was suspected: a probe that began before the last time answers another question. */
  suspicions: number;
}

export interface HoldingDeps {
  readonly fleet: Fleet;
  readonly connector: NodeConnector;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: DispatcherLogger;
  readonly meter: CallMeter;
  /** Told when a node needs to be probed before its turn. */
  readonly onSuspect: () => void;
  /** Told when a node has become ready. */
  readonly onReady: () => void;
}

// A node that refuses connections does so in a millisecond: without a pause this would spin.
const PROBE_BACKOFF: Backoff = { firstMs: 250, maxMs: 5_000 };

// A server may be ready before all its models are, be given more of them later, or begin to drain.
const REFRESH_MS = 10_000;

/** Connecting is lazy: nothing is known of the node before its first probe. */
export function openHolding(deps: HoldingDeps, node: HeldNode): Holding {
  const { connector, clock, meter } = deps;
  const connection = connector.connect(node.address);
  const doubts = createDoubts({ ...deps, node: node.name, connection });
  const lanes = createLanes({ engines: doubts.engines, clock, meter });
  const unknown = { engines: null, failures: 0, probeAtMs: 0, probe: null, suspicions: 0 };
  return { node, connection, lanes, doubts, ...unknown };
}

/** Asks the node how it is; what was asked before the last suspicion is no answer to it. */
export function startProbe(deps: HoldingDeps, holding: Holding, signal: AbortSignal): void {
  const { suspicions } = holding;
  holding.probe = probe(deps, holding, signal).finally(() => {
    holding.probe = null;
    if (holding.suspicions !== suspicions) deps.onSuspect();
    else if (holding.engines) deps.onReady();
  });
}

/** Closes the connection; resolves once nothing of the node is under way. What a probe brings from here on is not heard. */
export async function closeHolding({ logger }: HoldingDeps, holding: Holding): Promise<void> {
  holding.suspicions += 1;
  try {
    await holding.connection[Symbol.asyncDispose]();
    await holding.probe;
  } catch (error) {
    logger.failed(error, { node: holding.node.name }, 'a connection was not closed');
  }
}

async function probe(deps: HoldingDeps, holding: Holding, signal: AbortSignal): Promise<void> {
  const { fleet, clock, random, logger } = deps;
  const { node, connection, doubts, suspicions } = holding;
  const isOutdated = () => signal.aborted || holding.suspicions !== suspicions;
  try {
    const report = await connection.describe(signal);
    if (!report.ready) throw new Error('the node is not ready');
    doubts.heed(report.models);
    await useReport(deps, holding, { report, isOutdated });
    if (isOutdated() || !doubts.isDue()) return;
    // What is not in doubt is at work meanwhile.
    await doubts.tryDue(signal);
    await useReport(deps, holding, { report, isOutdated });
  } catch (error) {
    if (isOutdated()) return;
    if (holding.engines && saysNothing(error)) {
      holding.probeAtMs = clock.monotonicMs() + REFRESH_MS;
      return;
    }
    holding.engines = null;
    holding.probeAtMs = clock.monotonicMs() + backoffMs(PROBE_BACKOFF, holding.failures, random);
    holding.failures += 1;
    logger.failed(error, { node: node.name, address: node.address }, 'node does not answer');
    await fleet.markLost(node).catch((cause: unknown) => {
      logger.failed(cause, { node: node.name }, 'node could not be marked as lost');
    });
  }
}

interface Reported {
  readonly report: NodeReport;
  readonly isOutdated: () => boolean;
}

/** Gives work to what the node serves, without the models in doubt. */
async function useReport(
  { fleet, clock, logger }: HoldingDeps,
  holding: Holding,
  { report, isOutdated }: Reported,
): Promise<void> {
  if (isOutdated()) return;
  const { node, doubts } = holding;
  const engines = toNodeEngines({ ...report, models: report.models.filter((model) => !doubts.isOut(model)) });
  const isNews = !isDeepStrictEqual(engines, holding.engines);
  await fleet.markReady(node, toEngineRecords(report, engines));
  if (isOutdated()) return;
  const probeAtMs = Math.min(clock.monotonicMs() + REFRESH_MS, doubts.dueAtMs());
  Object.assign(holding, { engines, failures: 0, probeAtMs });
  if (isNews) logger.info({ node: node.name, engines: [...engines.keys()] }, 'node ready');
}

/** A node at work may be slow to answer, and the database is no part of it: whether it can be used, its calls tell. */
function saysNothing(error: unknown): boolean {
  return isRetryableDatabaseError(error) || (error instanceof EngineError && error.code === 'TIMED_OUT');
}
