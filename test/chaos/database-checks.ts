import { RECOVERIES_MAX } from '../../src/domains/scheduling/reap-store.ts';
import type { Connection } from '../../src/platform/db/connect.ts';
import type { Invariant, Violation } from './violation.ts';

/** What the clients of a run know, to be held against the database. */
export interface Told {
  /** Every job that a client was told the id of. */
  readonly jobIds: readonly string[];
  /** Credits that the API says are left, by tenant. */
  readonly balances: ReadonlyMap<string, number>;
}

interface Check {
  readonly invariant: Invariant;
  /** One row of `subject` and `what` per violation. $1: ids that clients know; $2, $3: tenants and their balances. */
  readonly sql: string;
}

const FINAL = `('SUCCEEDED', 'FAILED', 'CANCELLED')`;

const TOLD = `with told as (select id from unnest($1::text[]) as each (id)),
  balance as (select * from unnest($2::text[], $3::bigint[]) as each (tenant_id, credits))`;

const CHECKS: readonly Check[] = [
  {
    invariant: 'lost',
    sql: `select told.id as subject, 'was accepted and is not there' as what
      from told left join job on job.id = told.id where job.id is null`,
  },
  {
    invariant: 'lost',
    sql: `select id as subject, 'does not end: it is ' || state as what from job where state not in ${FINAL}`,
  },
  {
    // Every submit has an idempotency key and is repeated until it is answered: whatever is there has been told.
    invariant: 'lost',
    sql: `select id as subject, 'is there, and no client was told' as what
      from job where id not in (select id from told)`,
  },
  {
    invariant: 'state',
    sql: `select job.id as subject,
        'is ' || job.state || ' and ends with {' || coalesce(string_agg(event.type::text, ' '), '') || '}' as what
      from job left join event on event.tenant_id = job.tenant_id and event.job_id = job.id
        and event.type in ('COMPLETED', 'FAILED', 'CANCELLED')
      group by job.tenant_id, job.id
      having count(event.type) <> 1
        or min(event.type::text) <> case job.state when 'SUCCEEDED' then 'COMPLETED' else job.state::text end`,
  },
  {
    invariant: 'state',
    sql: `select distinct job_id as subject, 'was told of more after its end' as what
      from (select tenant_id, job_id, sequence from event union all select tenant_id, job_id, sequence from job_progress) told
      join (select tenant_id, job_id, min(sequence) as last from event
        where type in ('COMPLETED', 'FAILED', 'CANCELLED') group by 1, 2) ended using (tenant_id, job_id)
      where told.sequence > ended.last`,
  },
  {
    invariant: 'state',
    sql: `select id as subject, 'has ended and is still held' as what
      from job where state in ${FINAL} and (holder is not null or lease_until is not null or finished_at is null)`,
  },
  {
    invariant: 'state',
    sql: `select job.id as subject,
        format('was started %s times and put back %s', count(*) filter (where event.type = 'STARTED'),
          count(*) filter (where event.type = 'REQUEUED')) as what
      from job join event on event.tenant_id = job.tenant_id and event.job_id = job.id
      group by job.tenant_id, job.id
      having count(*) filter (where event.type = 'QUEUED') <> 1
        or count(*) filter (where event.type = 'STARTED') - count(*) filter (where event.type = 'REQUEUED')
          not in (0, 1)
        or count(*) filter (where event.type = 'REQUEUED') < job.recoveries + job.attempts`,
  },
  {
    // A process that dies is no fault of the job's: it goes on, until it was interrupted suspiciously often.
    invariant: 'lost',
    sql: `select id as subject, 'failed with ' || error_code || ': ' || error_message as what
      from job where state = 'FAILED' and not (error_code = 'POISONED' and recoveries >= ${RECOVERIES_MAX})`,
  },
  {
    invariant: 'twice',
    sql: `select job_id as subject, 'is charged ' || count(*) || ' times' as what
      from usage_entry where job_id is not null group by tenant_id, job_id having count(*) > 1`,
  },
  {
    invariant: 'ledger',
    sql: `select job.id as subject,
        case when job.started_at is null then 'never ran and is charged' else 'ran and is not in the ledger' end as what
      from job left join usage_entry on usage_entry.tenant_id = job.tenant_id and usage_entry.job_id = job.id
      where job.state in ${FINAL} and (job.started_at is null) <> (usage_entry.id is null)`,
  },
  {
    invariant: 'ledger',
    sql: `select job.id as subject, format('costs %s and is charged %s', job.credits, -sum(usage_entry.credits)) as what
      from job join usage_entry on usage_entry.tenant_id = job.tenant_id and usage_entry.job_id = job.id
      group by job.tenant_id, job.id having -sum(usage_entry.credits) <> job.credits`,
  },
  {
    invariant: 'ledger',
    sql: `select job.id as subject,
        format('is %s after step %s of %s for %s of %s credits', state, step, total_steps, job.credits, held.credits) as what
      from job join reservation held on held.tenant_id = job.tenant_id and held.job_id = job.id
      where state in ${FINAL} and job.credits <> case
        when state = 'SUCCEEDED' then held.credits
        when state = 'CANCELLED' and started_at is not null
          then least(held.credits, ceil(held.credits * step / total_steps::numeric))
        else 0 end`,
  },
  {
    invariant: 'quota',
    sql: `select job.id as subject, case when held.job_id is null then 'was accepted without holding its price'
        else 'has ended and its price is still held' end as what
      from job left join reservation held on held.tenant_id = job.tenant_id and held.job_id = job.id
      where held.job_id is null or job.state in ${FINAL} and held.settled_at is null`,
  },
  {
    invariant: 'quota',
    sql: `select balance.tenant_id as subject,
        format('is told %s credits and has %s', balance.credits, coalesce(sum(usage_entry.credits), 0)) as what
      from balance left join usage_entry using (tenant_id)
      group by balance.tenant_id, balance.credits having balance.credits <> coalesce(sum(usage_entry.credits), 0)`,
  },
  {
    invariant: 'output',
    sql: `select job.id as subject,
        format('is %s and shows pictures {%s} of %s', state, string_agg(position::text, ' ' order by position),
          recipe -> 'settings' -> 'imageCount') as what
      from job left join image on image.tenant_id = job.tenant_id and image.job_id = job.id
      group by job.tenant_id, job.id
      having coalesce(array_agg(position order by position) filter (where position is not null), '{}')
        <> array(select generate_series(0, case state when 'SUCCEEDED'
          then (recipe -> 'settings' ->> 'imageCount')::int else 0 end - 1))`,
  },
  {
    invariant: 'output',
    sql: `select job.id as subject, 'tells of other pictures than it shows' as what
      from job where
        (select coalesce(array_agg(image_id order by image_id), '{}') from event
          where event.tenant_id = job.tenant_id and event.job_id = job.id and type = 'IMAGE')
        <> (select coalesce(array_agg(image.id order by image.id), '{}') from image
          where image.tenant_id = job.tenant_id and image.job_id = job.id)`,
  },
];

/** Everything in the database that breaks a promise, as the superuser sees it once all jobs have ended. */
export async function checkDatabase(admin: Connection, told: Told): Promise<readonly Violation[]> {
  const values = [told.jobIds, [...told.balances.keys()], [...told.balances.values()]];
  const violations: Violation[] = [];
  for (const { invariant, sql } of CHECKS) {
    // Every parameter has a type and a use in each statement, whatever the check needs of them.
    const rows = await admin.query<{ subject: string; what: string }>(`${TOLD} ${sql}`, values);
    violations.push(...rows.map(({ subject, what }) => ({ invariant, subject, what })));
  }
  return violations;
}
