import type { Id } from '../../kernel/ids.ts';
import type { Tx } from '../../platform/db/index.ts';

/** A node that the caller holds until its lease runs out. */
export interface HeldNode {
  readonly id: Id<'node'>;
  readonly address: string;
  readonly name: string;
  readonly fence: number;
}

/** What one model of a node can do, as its ModelConfig says. */
export interface EngineRecord {
  readonly id: Id<'engine'>;
  readonly model: string;
  readonly version: number;
  readonly fingerprint: string;
  readonly instances: number;
  readonly batchMax: number;
}

/** A node is known by its name; one that comes back elsewhere takes its new address along. */
export async function upsertNode(
  tx: Tx,
  node: { id: Id<'node'>; name: string; address: string },
): Promise<void> {
  await tx.$executeRaw`delete from node where name = ${node.name} and address <> ${node.address}`;
  await tx.$executeRaw`
    insert into node (id, name, address) values (${node.id}, ${node.name}, ${node.address})
    on conflict (address) do update set name = excluded.name, state = 'JOINING', updated_at = clock_timestamp()`;
}

export async function deleteNode(tx: Tx, name: string): Promise<void> {
  await tx.$executeRaw`delete from node where name = ${name}`;
}

/** Takes every node that nobody holds. The fence grows, so that an earlier holder stays out. */
export async function holdFreeNodes(
  tx: Tx,
  { holder, leaseMs }: { readonly holder: Id<'dispatcher'>; readonly leaseMs: number },
): Promise<readonly HeldNode[]> {
  return tx.$queryRaw<HeldNode[]>`
    with free as (
      select id from node
      where state in ('JOINING', 'READY', 'LOST') and (holder is null or lease_until < clock_timestamp())
      for no key update skip locked
    )
    update node set holder = ${holder}, fence = fence + 1, updated_at = clock_timestamp(),
      lease_until = clock_timestamp() + make_interval(secs => ${leaseMs / 1000}::float8)
    from free where node.id = free.id
    returning node.id, address, name, fence`;
}

/** The ids of the nodes that are still the caller's, their leases renewed. */
export async function renewNodes(
  tx: Tx,
  { holder, leaseMs }: { readonly holder: Id<'dispatcher'>; readonly leaseMs: number },
): Promise<readonly Id<'node'>[]> {
  const rows = await tx.$queryRaw<{ id: Id<'node'> }[]>`
    update node set updated_at = clock_timestamp(),
      lease_until = clock_timestamp() + make_interval(secs => ${leaseMs / 1000}::float8)
    where holder = ${holder}
    returning id`;
  return rows.map((row) => row.id);
}

export async function releaseNodes(tx: Tx, holder: Id<'dispatcher'>): Promise<void> {
  await tx.$executeRaw`
    update node set holder = null, lease_until = null, fence = fence + 1, updated_at = clock_timestamp()
    where holder = ${holder}`;
}

export async function setNodeState(tx: Tx, node: HeldNode, state: 'READY' | 'LOST'): Promise<void> {
  await tx.$executeRaw`
    update node set state = ${state}::node_state, updated_at = clock_timestamp()
    where id = ${node.id} and fence = ${node.fence}`;
}

export async function replaceEngines(
  tx: Tx,
  node: HeldNode,
  engines: readonly EngineRecord[],
): Promise<void> {
  await tx.engine.deleteMany({ where: { nodeId: node.id } });
  await tx.engine.createMany({ data: engines.map((engine) => ({ ...engine, nodeId: node.id })) });
}
