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
  /** Which of the model's parts the node serves, sorted. */
  readonly parts: readonly string[];
  readonly instances: number;
  readonly batchMax: number;
}

export type NodeState = 'JOINING' | 'READY' | 'DRAINING' | 'LOST';

/** A node as an operator sees it. */
export interface NodeRecord {
  readonly name: string;
  readonly address: string;
  readonly state: NodeState;
  /** Run by a process of ours, which forgets it at its end; false for what an operator has added. */
  readonly isHosted: boolean;
  /** The dispatcher that drives it now, or null. */
  readonly holder: Id<'dispatcher'> | null;
  /** What it served when it was last looked at: `pico:1`. */
  readonly engines: readonly string[];
  /** The models of which these consist: a job that calls another one waits for another node. */
  readonly models: readonly string[];
}

export interface NewNode {
  readonly id: Id<'node'>;
  readonly name: string;
  readonly address: string;
}

/**
 * A node is known by its name; one that comes back elsewhere takes its new address along, and an address that
 * is known takes the new name: whoever holds it goes on.
 */
export async function upsertNode(tx: Tx, node: NewNode): Promise<void> {
  await tx.$executeRaw`delete from node where name = ${node.name} and address <> ${node.address}`;
  await tx.$executeRaw`
    insert into node (id, name, address) values (${node.id}, ${node.name}, ${node.address})
    on conflict (address) do update set name = excluded.name, updated_at = clock_timestamp()`;
}

/** Whatever was known under the name or address was another process: its holder has lost it. */
export async function replaceHostedNode(tx: Tx, node: NewNode): Promise<void> {
  await tx.$executeRaw`delete from node where name = ${node.name} or address = ${node.address}`;
  await tx.$executeRaw`
    insert into node (id, name, address, is_hosted) values (${node.id}, ${node.name}, ${node.address}, true)`;
}

/** False when there is no such node. */
export async function deleteNode(tx: Tx, name: string): Promise<boolean> {
  return (await tx.$executeRaw`delete from node where name = ${name}`) > 0;
}

/** Every node, by name. */
export function listNodes(tx: Tx): Promise<readonly NodeRecord[]> {
  return tx.$queryRaw<NodeRecord[]>`
    select name, address, state, is_hosted as "isHosted",
      case when lease_until > clock_timestamp() then holder end as holder,
      array(select e.model || ':' || e.version from engine e where e.node_id = node.id order by 1) as engines,
      array(
        select distinct e.model || '.' || part from engine e, unnest(e.parts) part where e.node_id = node.id order by 1
      ) as models
    from node order by name, id`;
}

/** Whether a node that a dispatcher drives serves that version of a model, all of it or a part. */
export async function isServed(
  tx: Tx,
  { model, version }: Pick<EngineRecord, 'model' | 'version'>,
): Promise<boolean> {
  const [row] = await tx.$queryRaw<{ served: boolean }[]>`
    select exists (
      select 1 from engine join node on node.id = engine.node_id
      where engine.model = ${model} and engine.version = ${version} and node.state = 'READY'
        and node.lease_until > clock_timestamp()
    ) as served`;
  return row?.served ?? false;
}

/** On whose behalf nodes are held, and for how long. */
export interface Hold {
  readonly holder: Id<'dispatcher'>;
  readonly leaseMs: number;
  /** For how long after the server's start nobody is taken for dead: no holder could renew while it was down. */
  readonly leaseGraceMs: number;
}

/**
 * Takes every node that nobody holds. The fence grows, so that an earlier holder stays out. Those of `known`
 * that nobody took since are left for `renewNodes`: the caller works with them although their leases ran out.
 */
export async function holdFreeNodes(
  tx: Tx,
  known: readonly HeldNode[],
  { holder, leaseMs, leaseGraceMs }: Hold,
): Promise<readonly HeldNode[]> {
  return tx.$queryRaw<HeldNode[]>`
    with free as (
      select id from node
      where state in ('JOINING', 'READY', 'LOST') and (holder is null or (lease_until < clock_timestamp()
          and pg_postmaster_start_time() < clock_timestamp() - make_interval(secs => ${leaseGraceMs / 1000}::float8)))
        and (id, fence) not in (
          select * from unnest(${known.map(({ id }) => id)}::text[], ${known.map(({ fence }) => fence)}::int[])
        )
      for no key update skip locked
    )
    update node set holder = ${holder}, fence = fence + 1, updated_at = clock_timestamp(),
      lease_until = clock_timestamp() + make_interval(secs => ${leaseMs / 1000}::float8)
    from free where node.id = free.id
    returning node.id, address, name, fence`;
}

/**
 * The ids of those of `nodes` that are still the caller's, their leases renewed. What the caller holds without
 * knowing it, since it never got the answer, is left to run out.
 */
export async function renewNodes(
  tx: Tx,
  nodes: readonly HeldNode[],
  { holder, leaseMs }: Hold,
): Promise<readonly Id<'node'>[]> {
  const rows = await tx.$queryRaw<{ id: Id<'node'> }[]>`
    update node set updated_at = clock_timestamp(),
      lease_until = clock_timestamp() + make_interval(secs => ${leaseMs / 1000}::float8)
    from unnest(${nodes.map(({ id }) => id)}::text[], ${nodes.map(({ fence }) => fence)}::int[]) as p (id, fence)
    where node.id = p.id and node.fence = p.fence and node.holder = ${holder}
    returning node.id`;
  return rows.map((row) => row.id);
}

export async function releaseNodes(tx: Tx, holder: Id<'dispatcher'>): Promise<void> {
  await tx.$executeRaw`
    update node set holder = null, lease_until = null, fence = fence + 1, updated_at = clock_timestamp()
    where holder = ${holder}`;
}

/** False when the node is no longer the caller's. */
export async function setNodeState(tx: Tx, node: HeldNode, state: 'READY' | 'LOST'): Promise<boolean> {
  const changed = await tx.$executeRaw`
    update node set state = ${state}::node_state, updated_at = clock_timestamp()
    where id = ${node.id} and fence = ${node.fence}`;
  return changed > 0;
}

export async function replaceEngines(
  tx: Tx,
  node: HeldNode,
  engines: readonly EngineRecord[],
): Promise<void> {
  await tx.engine.deleteMany({ where: { nodeId: node.id } });
  await tx.engine.createMany({
    data: engines.map((engine) => ({ ...engine, parts: [...engine.parts], nodeId: node.id })),
  });
}
