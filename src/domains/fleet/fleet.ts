import type { Id, NewId } from '../../kernel/ids.ts';
import type { Db } from '../../platform/db/index.ts';
import { asPlatform } from '../tenancy/index.ts';
import type { EngineRecord, HeldNode, Hold, NodeRecord } from './store.ts';
import {
  deleteNode,
  holdFreeNodes,
  listNodes,
  releaseNodes,
  renewNodes,
  replaceEngines,
  replaceHostedNode,
  setNodeState,
  upsertNode,
} from './store.ts';

export interface FleetDeps {
  /** A pool of `darkroom_dispatcher` or `darkroom_system`. */
  readonly db: Db;
  readonly newId: NewId;
}

export type Fleet = ReturnType<typeof createFleet>;

/** Which nodes there are, what they serve, and which dispatcher drives each. */
export function createFleet({ db, newId }: FleetDeps) {
  const run = <T>(work: Parameters<typeof asPlatform<T>>[1]) => asPlatform(db, work);
  return {
    /** Makes a node of somebody else's known under `name`; `address` is `grpc://host:port`. */
    add: (name: string, address: string): Promise<void> =>
      run((tx) => upsertNode(tx, { id: newId('node'), name, address })),

    /** Makes a node known that a process of ours has just started; nobody holds it yet. */
    announce: (name: string, address: string): Promise<void> =>
      run((tx) => replaceHostedNode(tx, { id: newId('node'), name, address })),

    /** Forgets a node: what runs on it is taken elsewhere. False when there is none of that name. */
    remove: (name: string): Promise<boolean> => run((tx) => deleteNode(tx, name)),

    /** Every node, by name. */
    list: (): Promise<readonly NodeRecord[]> => run(listNodes),

    /** Takes the nodes that nobody holds; of those in `known`, only what was somebody else's meanwhile. */
    hold: (known: readonly HeldNode[], hold: Hold): Promise<readonly HeldNode[]> =>
      run((tx) => holdFreeNodes(tx, known, hold)),

    /** Renews the leases of the nodes given; one missing from the answer is not held under its fence any more. */
    renew: (nodes: readonly HeldNode[], hold: Hold): Promise<readonly Id<'node'>[]> =>
      run((tx) => renewNodes(tx, nodes, hold)),

    /** Gives back every node of the holder at once. */
    release: (holder: Id<'dispatcher'>): Promise<void> => run((tx) => releaseNodes(tx, holder)),

    /** Records what a held node serves, and that it is ready; nothing when it is somebody else's now. */
    markReady: (node: HeldNode, engines: readonly Omit<EngineRecord, 'id'>[]): Promise<void> =>
      run(async (tx) => {
        if (!(await setNodeState(tx, node, 'READY'))) return;
        await replaceEngines(
          tx,
          node,
          engines.map((engine) => ({ ...engine, id: newId('engine') })),
        );
      }),

    /** Records that a held node does not answer. */
    markLost: (node: HeldNode): Promise<void> =>
      run(async (tx) => {
        await setNodeState(tx, node, 'LOST');
      }),
  };
}
