import { isDeepStrictEqual } from 'node:util';
import type { Fleet, HeldNode } from '../domains/fleet/index.ts';
import type { Backoff } from '../kernel/backoff.ts';
import { backoffMs } from '../kernel/backoff.ts';
import type { Clock } from '../kernel/clock.ts';
import { messageOf } from '../kernel/errors.ts';
import type { Id } from '../kernel/ids.ts';
import type { Random } from '../kernel/random.ts';
import { isRetryableDatabaseError } from '../platform/db/index.ts';
import { EngineError } from './engines.ts';
import type { CallMeter } from './figures.ts';
import type { Lanes } from './lanes.ts';
import { createLanes } from './lanes.ts';
import type { DispatcherLogger } from './log.ts';
import type { NodeConnection, NodeConnector } from './node-connector.ts';
import type { NodeEngine } from './served-engines.ts';
import { toEngineRecords, toNodeEngines } from './served-engines.ts';
import type { DispatcherSettings } from './settings.ts';

/** A held node that has answered a probe and given no cause for doubt since. */
export interface ReadyNode {
  readonly node: HeldNode;
  /** Where all calls to the node are formed. */
  readonly lanes: Lanes;
  /** By engine key, as jobs name it. */
  readonly engines: ReadonlyMap<string, NodeEngine>;
}

interface Holding {
  readonly node: HeldNode;
  readonly connection: NodeConnection;
  readonly lanes: Lanes;
  engines: ReadonlyMap<string, NodeEngine> | null;
  failures: number;
  probeAtMs: number;
  /** The probe under way, or null. */
  probe: Promise<void> | null;
}

export interface HeldNodesDeps {
  readonly fleet: Fleet;
  readonly connector: NodeConnector;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: DispatcherLogger;
  readonly settings: DispatcherSettings;
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

export interface HeldNodes extends AsyncDisposable {
  ready(): readonly ReadyNode[];
  /** Takes free nodes and starts to probe those that are due, ready ones now and then; one that hangs keeps no other waiting. */
  tend(signal: AbortSignal): Promise<void>;
  /** Renews the leases of all nodes and drops those that are somebody else's now. */
  renew(): Promise<void>;
  /**
   * Tells that a call to the node failed by the node's fault: nothing is sent there until a probe succeeds. What
   * failed on the connection of an earlier hold says nothing of this one.
   */
  suspect(node: HeldNode): void;
}

/** The nodes that this dispatcher drives. Disposing gives them all back at once. */
export function createHeldNodes(holder: Id<'dispatcher'>, deps: HeldNodesDeps): HeldNodes {
  const { fleet, connector, clock, logger, settings, meter } = deps;
  const holdings = new Map<Id<'node'>, Holding>();
  const hold = { holder, leaseMs: settings.leaseMs };
  const known = () => [...holdings.values()].map(({ node }) => node);
  const drop = async (holding: Holding) => {
    // What took its place meanwhile is not for dropping.
    if (holdings.get(holding.node.id) === holding) holdings.delete(holding.node.id);
    await holding.connection[Symbol.asyncDispose]();
    await holding.probe;
  };

  return {
    ready: () =>
      [...holdings.values()].flatMap(({ node, lanes, engines }) =>
        engines ? [{ node, lanes, engines }] : [],
      ),

    async tend(signal) {
      for (const node of await fleet.hold(known(), hold)) {
        // Taken from us and found free again: what was open to it belongs to the time before.
        const earlier = holdings.get(node.id);
        if (earlier) await drop(earlier);
        const connection = connector.connect(node.address);
        const lanes = createLanes({ engines: connection.engines, clock, meter });
        const unknown = { engines: null, failures: 0, probeAtMs: 0, probe: null };
        holdings.set(node.id, { node, connection, lanes, ...unknown });
      }
      const nowMs = clock.monotonicMs();
      for (const holding of holdings.values()) {
        if (holding.probe || holding.probeAtMs > nowMs) continue;
        holding.probe = probe(deps, holding, signal).finally(() => {
          holding.probe = null;
          if (holding.engines) deps.onReady();
        });
      }
    },

    async renew() {
      const held = [...holdings.values()];
      if (held.length === 0) return;
      const kept = new Set(await fleet.renew(known(), hold));
      await Promise.all(held.filter(({ node }) => !kept.has(node.id)).map(drop));
    },

    suspect({ id, fence }) {
      const holding = holdings.get(id);
      if (!holding?.engines || holding.node.fence !== fence) return;
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
    const isNews = !isDeepStrictEqual(engines, holding.engines);
    await fleet.markReady(node, toEngineRecords(report, engines));
    Object.assign(holding, { engines, failures: 0, probeAtMs: clock.monotonicMs() + REFRESH_MS });
    if (isNews) logger.info({ node: node.name, engines: [...engines.keys()] }, 'node ready');
  } catch (error) {
    if (signal.aborted) return;
    if (holding.engines && saysNothing(error)) {
      holding.probeAtMs = clock.monotonicMs() + REFRESH_MS;
      return;
    }
    holding.engines = null;
    holding.probeAtMs = clock.monotonicMs() + backoffMs(PROBE_BACKOFF, holding.failures, random);
    holding.failures += 1;
    logger.warn({ node: node.name, address: node.address, reason: messageOf(error) }, 'node does not answer');
    await fleet.markLost(node).catch((cause: unknown) => {
      logger.warn({ node: node.name, reason: messageOf(cause) }, 'node could not be marked as lost');
    });
  }
}

/** A node at work may be slow to answer, and the database is no part of it: whether it can be used, its calls tell. */
function saysNothing(error: unknown): boolean {
  return isRetryableDatabaseError(error) || (error instanceof EngineError && error.code === 'TIMED_OUT');
}
