import type { HeldNode } from '../domains/fleet/index.ts';
import { endsWithin } from '../kernel/ends-within.ts';
import type { Id } from '../kernel/ids.ts';
import type { Holding, HoldingDeps } from './holding.ts';
import { closeHolding, openHolding, startProbe } from './holding.ts';
import type { Lanes } from './lanes.ts';
import type { NodeEngine } from './served-engines.ts';
import type { DispatcherSettings } from './settings.ts';

/** A held node that has answered a probe and given no cause for doubt since. */
export interface ReadyNode {
  readonly node: HeldNode;
  /** Where all calls to the node are formed. */
  readonly lanes: Lanes;
  /** By engine key, as jobs name it. */
  readonly engines: ReadonlyMap<string, NodeEngine>;
}

export interface HeldNodesDeps extends HoldingDeps {
  readonly settings: DispatcherSettings;
}

// As long as a transaction may take; closing a connection is a matter of the next turn.
const CLOSE_MS = 10_000;

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
  const { fleet, clock, logger, settings } = deps;
  const holdings = new Map<Id<'node'>, Holding>();
  const hold = { holder, leaseMs: settings.leaseMs, leaseGraceMs: settings.leaseGraceMs };
  const known = () => [...holdings.values()].map(({ node }) => node);
  const closing = new Set<Promise<void>>();

  /** Nobody waits for a node that is dropped to let go: the others are tended and renewed meanwhile. */
  function drop(holding: Holding): void {
    // What took its place meanwhile is not for dropping.
    if (holdings.get(holding.node.id) === holding) holdings.delete(holding.node.id);
    const closed = closeHolding(deps, holding).finally(() => closing.delete(closed));
    closing.add(closed);
  }

  return {
    ready: () =>
      [...holdings.values()].flatMap(({ node, lanes, engines }) =>
        engines ? [{ node, lanes, engines }] : [],
      ),

    async tend(signal) {
      for (const node of await fleet.hold(known(), hold)) {
        // Taken from us and found free again: what was open to it belongs to the time before.
        const earlier = holdings.get(node.id);
        if (earlier) drop(earlier);
        holdings.set(node.id, openHolding(deps, node));
      }
      const nowMs = clock.monotonicMs();
      for (const holding of holdings.values()) {
        if (!holding.probe && holding.probeAtMs <= nowMs) startProbe(deps, holding, signal);
      }
    },

    async renew() {
      const held = [...holdings.values()];
      if (held.length === 0) return;
      const kept = new Set(await fleet.renew(known(), hold));
      for (const holding of held) if (!kept.has(holding.node.id)) drop(holding);
    },

    suspect({ id, fence }) {
      const holding = holdings.get(id);
      if (!holding?.engines || holding.node.fence !== fence) return;
      Object.assign(holding, { engines: null, probeAtMs: 0, suspicions: holding.suspicions + 1 });
      deps.onSuspect();
    },

    async [Symbol.asyncDispose]() {
      const released = fleet.release(holder).catch((error: unknown) => {
        logger.failed(error, {}, 'nodes could not be given back; their leases will run out');
      });
      for (const holding of holdings.values()) drop(holding);
      if (!(await endsWithin(Promise.all([released, ...closing]), CLOSE_MS, clock)))
        logger.warn({ limitMs: CLOSE_MS }, 'nodes do not let go; the stop goes on without them');
    },
  };
}
