import type { Id, NewId } from '../../kernel/ids.ts';
import type { Db } from '../../platform/db/index.ts';
import { asPlatform } from '../tenancy/index.ts';
import type { EngineRecord, HeldNode } from './store.ts';
import {
  deleteNode,
  holdFreeNodes,
  releaseNodes,
  renewNodes,
  replaceEngines,
  setNodeState,
  upsertNode,
} from './store.ts';

export interface FleetDeps {
  /** A pool of `darkroom_dispatcher`. */
  readonly dispatcherDb: Db;
  readonly newId: NewId;
}

export interface Hold {
  readonly holder: Id<'dispatcher'>;
  readonly leaseMs: number;
}

export type Fleet = ReturnType<typeof createFleet>;

/** Which nodes there are, what they serve, and which dispatcher drives each. */
export function createFleet({ dispatcherDb, newId }: FleetDeps) {
  const run = <T>(work: Parameters<typeof asPlatform<T>>[1]) => asPlatform(dispatcherDb, work);
  return {
    /** Makes a node known under `name`; `address` is `grpc://host:port`. */
    register: (name: string, address: string): Promise<void> =>
      run((tx) => upsertNode(tx, { id: newId('node'), name, address })),

    /** Forgets a node that ends. */
    forget: (name: string): Promise<void> => run((tx) => deleteNode(tx, name)),

    /** Takes the nodes that nobody holds. */
    hold: (hold: Hold): Promise<readonly HeldNode[]> => run((tx) => holdFreeNodes(tx, hold)),

    /** Renews the leases of all held nodes; one missing from the answer is somebody else's now. */
    renew: (hold: Hold): Promise<readonly Id<'node'>[]> => run((tx) => renewNodes(tx, hold)),

    /** Gives back every node of the holder at once. */
    release: (holder: Id<'dispatcher'>): Promise<void> => run((tx) => releaseNodes(tx, holder)),

    /** Records what a held node serves, and that it is ready. */
    markReady: (node: HeldNode, engines: readonly Omit<EngineRecord, 'id'>[]): Promise<void> =>
      run(async (tx) => {
        await replaceEngines(
          tx,
          node,
          engines.map((engine) => ({ ...engine, id: newId('engine') })),
        );
        await setNodeState(tx, node, 'READY');
      }),

    /** Records that a held node does not answer. */
    markLost: (node: HeldNode): Promise<void> => run((tx) => setNodeState(tx, node, 'LOST')),
  };
}
