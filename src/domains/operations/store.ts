import { z } from 'zod';
import type { Id } from '../../kernel/ids.ts';
import type { Tx } from '../../platform/db/index.ts';
import type { ProcessFigures, ProcessIdentity, ProcessReport } from './figures.ts';

/** Long enough for a process to miss several turns, short enough that a dead one is not counted for long. */
const STALE_SECONDS = 15;

const count = z.int().nonnegative();
const ms = z.number().nonnegative();

// Written by another process, and during an upgrade by one of another version.
const processFigures: z.ZodType<ProcessFigures> = z.object({
  upMs: ms,
  eventLoopDelayMs: ms.nullable(),
  dispatcher: z
    .object({
      rowsInFlight: count,
      unetCalls: count,
      unetRows: count,
      busyMs: ms,
      gapMs: ms,
      gaps: count,
    })
    .nullable(),
  api: z.object({ sockets: count, socketBufferBytesMax: count, eventsDelivered: count }).nullable(),
});

/**
 * Writes what the process has counted, and removes what dead ones left. Which rows those are, the login
 * decides: its own, and as `darkroom_system` everybody's.
 */
export async function writeFigures(tx: Tx, { id, roles, host, figures }: ProcessReport): Promise<void> {
  await tx.$executeRaw`
    delete from process_figures
    where updated_at < clock_timestamp() - make_interval(secs => ${STALE_SECONDS}::int) and id <> ${id}`;
  await tx.$executeRaw`
    insert into process_figures (id, roles, host, figures, updated_at)
    values (${id}, ${roles}, ${host}, ${JSON.stringify(figures)}::jsonb, clock_timestamp())
    on conflict (id) do update set figures = excluded.figures, updated_at = excluded.updated_at`;
}

export async function removeFigures(tx: Tx, { id }: Pick<ProcessIdentity, 'id'>): Promise<void> {
  await tx.$executeRaw`delete from process_figures where id = ${id}`;
}

/** What the running processes wrote last, oldest process first; one that has fallen silent is not among them. */
export async function readReports(tx: Tx): Promise<readonly ProcessReport[]> {
  const rows = await tx.$queryRaw<{ id: Id<'process'>; roles: string[]; host: string; figures: unknown }[]>`
    select id, roles, host, figures from process_figures
    where updated_at >= clock_timestamp() - make_interval(secs => ${STALE_SECONDS}::int)
    order by id`;
  return rows.flatMap((row) => {
    const { success, data } = processFigures.safeParse(row.figures);
    return success ? { ...row, figures: data } : [];
  });
}

/** How many jobs of all tenants are QUEUED. */
export async function readQueueDepth(tx: Tx): Promise<number> {
  const [row] = await tx.$queryRaw<{ depth: bigint }[]>`select queue_depth() as depth`;
  return Number(row?.depth ?? 0);
}

/** U-Net evaluations that the open jobs of all tenants have not finished. */
export async function readEvaluationsAhead(tx: Tx): Promise<number> {
  const [row] = await tx.$queryRaw<{ ahead: bigint }[]>`select evaluations_ahead() as ahead`;
  return Number(row?.ahead ?? 0);
}
