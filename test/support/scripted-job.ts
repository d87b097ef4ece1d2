import type { TestApp, TestTenant } from './app.ts';
import { QUICK } from './jobs.ts';

/** A job that no dispatcher holds: a test writes its events, as a dispatcher would. */
export interface ScriptedJob {
  readonly id: string;
  /** Writes events under the next numbers and rings. */
  write(events: readonly ScriptedEvent[]): Promise<void>;
  /** Ends it through the API's own door. */
  cancel(): Promise<void>;
  /** Numbers and types of everything that stands in the database, in order. */
  written(): Promise<readonly WrittenEvent[]>;
}

export interface ScriptedEvent {
  readonly type: 'STARTED' | 'REQUEUED' | 'STEP' | 'PREVIEW';
  /** Characters of a PREVIEW. */
  readonly previewChars?: number;
}

export interface WrittenEvent {
  readonly sequence: number;
  readonly type: string;
}

/** As `insertProgress` and `insertStateEvents` do: the numbers come from the job's row, under its lock. */
const WRITE = `
  with given as (
    update job set last_sequence = last_sequence + cardinality($2::text[]) where id = $1
    returning tenant_id, last_sequence - cardinality($2::text[]) as before
  ), told as (
    select given.tenant_id, (given.before + t.position)::int as sequence, t.type, t.preview
    from given, unnest($2::text[], $3::text[]) with ordinality as t (type, preview, position)
  ), progress as (
    insert into job_progress (tenant_id, job_id, sequence, type, step, preview)
    select tenant_id, $1, sequence, type::progress_type, sequence, preview
    from told where type in ('STEP', 'PREVIEW')
  ), state as (
    insert into event (tenant_id, job_id, sequence, type)
    select tenant_id, $1, sequence, type::event_type from told where type not in ('STEP', 'PREVIEW')
  )
  select pg_notify('darkroom_events', $1)`;

const WRITTEN = `
  select sequence, type::text from event where job_id = $1
  union all select sequence, type::text from job_progress where job_id = $1 order by sequence`;

/** Submits a job and writes with `sql`, as the superuser of its database. */
export async function scriptJob({ sql }: Pick<TestApp, 'sql'>, { client }: TestTenant): Promise<ScriptedJob> {
  const { id } = await client.submitJob(QUICK);
  return {
    id,
    async write(events) {
      const previews = events.map(({ type, previewChars = 20 }) =>
        type === 'PREVIEW' ? `data:image/webp;base64,${'A'.repeat(previewChars)}` : null,
      );
      await sql(WRITE, [id, events.map(({ type }) => type), previews]);
    },
    async cancel() {
      await client.cancelJob(id);
    },
    written: () => sql<WrittenEvent>(WRITTEN, [id]),
  };
}
