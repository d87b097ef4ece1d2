import type { Fleet, HeldNode } from '../domains/fleet/index.ts';
import type { Backoff } from '../kernel/backoff.ts';
import { backoffMs } from '../kernel/backoff.ts';
import type { Clock } from '../kernel/clock.ts';
import { messageOf } from '../kernel/errors.ts';
import type { Id } from '../kernel/ids.ts';
import type { Random } from '../kernel/random.ts';
import type { DispatcherLogger } from './log.ts';
import type { NodeConnection, NodeConnector } from './node-connector.ts';
import type { NodeEngine } from './served-engines.ts';
import { toEngineRecords, toNodeEngines } from './served-engines.ts';
import type { DispatcherSettings } from './settings.ts';

/** A held node that answered its last probe. */
export interface ReadyNode {
  readonly node: HeldNode;
  readonly connection: NodeConnection;
  /** By engine key, as jobs name it. */
  readonly engines: ReadonlyMap<string, NodeEngine>;
}

interface Holding {
  readonly node: HeldNode;
  readonly connection: NodeConnection;
  engines: ReadonlyMap<string, NodeEngine> | null;
  failures: number;
  probeAtMs: number;
}

export interface HeldNodesDeps {
  readonly fleet: Fleet;
  readonly connector: NodeConnector;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: DispatcherLogger;
  readonly settings: DispatcherSettings;
  /** Told when a node needs to be probed before its turn. */
  readonly onSuspect: () => void;
}

// A node that refuses connections does so in a millisecond: without a pause this would spin.
const PROBE_BACKOFF: Backoff = { firstMs: 250, maxMs: 5_000 };

export interface HeldNodes extends AsyncDisposable {
  ready(): readonly ReadyNode[];
  /** Takes free nodes, renews the held ones, drops the lost, and probes those that are due. */
  tend(signal: AbortSignal): Promise<void>;
  /** Tells that a call to the node failed by the node's fault: nothing is sent there until a probe succeeds. */
  suspect(nodeId: Id<'node'>): void;
}

/** The nodes that this dispatcher drives. Disposing gives them all back at once. */
export function createHeldNodes(holder: Id<'dispatcher'>, deps: HeldNodesDeps): HeldNodes {
  const { fleet, connector, clock, logger, settings } = deps;
  const holdings = new Map<Id<'node'>, Holding>();
  const hold = { holder, leaseMs: settings.leaseMs };
  const drop = async ({ node, connection }: Holding) => {
    holdings.delete(node.id);
    await connection[Symbol.asyncDispose]();
  };

  return {
    ready: () =>
      [...holdings.values()].flatMap(({ node, connection, engines }) =>
        engines ? [{ node, connection, engines }] : [],
      ),

    async tend(signal) {
      const kept = new Set(await fleet.renew(hold));
      await Promise.all([...holdings.values()].filter(({ node }) => !kept.has(node.id)).map(drop));
      for (const node of await fleet.hold(hold)) {
        const connection = connector.connect(node.address);
        holdings.set(node.id, { node, connection, engines: null, failures: 0, probeAtMs: 0 });
      }
      const nowMs = clock.monotonicMs();
      const due = [...holdings.values()].filter(
        ({ engines, probeAtMs }) => engines === null && probeAtMs <= nowMs,
      );
      await Promise.all(due.map((holding) => probe(deps, holding, signal)));
    },

    suspect(nodeId) {
      const holding = holdings.get(nodeId);
      if (!holding?.engines) return;
      Object.assign(holding, { engines: null, probeAtMs: 0 });
      deps.onSuspect();
    },

    async [Symbol.asyncDispose]() {
      await fleet.release(holder).catch((error: unknown) => {
        logger.warn({ reason: messageOf(error) }, 'nodes could not be given back; their leases will run out');
      });
      await Promise.all([...holdings.values()].map(drop));
    },
  };
}

async function probe(
  { fleet, clock, random, logger }: HeldNodesDeps,
  holding: Holding,
  signal: AbortSignal,
): Promise<void> {
  const { node, connection } = holding;
  try {
    const report = await connection.describe(signal);
    if (!report.ready) throw new Error('the node is not ready');
    const engines = toNodeEngines(report);
    await fleet.markReady(node, toEngineRecords(report, engines));
    Object.assign(holding, { engines, failures: 0 });
    logger.info({ node: node.name, engines: [...engines.keys()] }, 'node ready');
  } catch (error) {
    if (signal.aborted) return;
    holding.probeAtMs = clock.monotonicMs() + backoffMs(PROBE_BACKOFF, holding.failures, random);
    holding.failures += 1;
    logger.warn({ node: node.name, address: node.address, reason: messageOf(error) }, 'node does not answer');
    await fleet.markLost(node);
  }
}
