import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PageQuery } from '../../src/domains/generation/page-store.ts';
import { pageSql } from '../../src/domains/generation/page-store.ts';
import type { Id } from '../../src/kernel/ids.ts';
import type { Connection } from '../../src/platform/db/connect.ts';
import { connect } from '../../src/platform/db/connect.ts';
import type { TestDatabase } from '../support/database.ts';
import { createDatabase } from '../support/database.ts';
import { seedTenantRows } from '../support/tenant-rows.ts';

const tenantId = `ten_${'A'.repeat(26)}` as Id<'tenant'>;
const otherId = `ten_${'B'.repeat(26)}` as Id<'tenant'>;
const JOBS = 20_000;
const MOMENT = '2026-01-01T00:00:00Z';

let database: TestDatabase;
let app: Connection;

// A tenant with a long history beside a second one: job i was made i seconds after a moment, failed
// if i is a multiple of 1000, and carries `order` = i/10 and, one in fifty, `batch` = 'big'.
beforeAll(async () => {
  database = await createDatabase();
  await using admin = await connect({ url: database.adminUrl, applicationName: 'test' });
  for (const tenant of [tenantId, otherId]) {
    await seedTenantRows(admin, tenant);
    await admin.query(`
      insert into job (tenant_id, id, key_id, variant_owner_id, variant_id, version_id, engine_key, state, recipe,
          metadata, total_steps, credits, last_sequence, created_at, finished_at, error_code, error_message)
        select tenant_id, 'job_' || lpad(i::text, 26, '0'), key_id, variant_owner_id, variant_id, version_id, engine_key,
          (case when i % 1000 = 0 then 'FAILED' else 'SUCCEEDED' end)::job_state, recipe, metadata, total_steps, credits, 1,
          timestamptz '${MOMENT}' + make_interval(secs => i), now(),
          case when i % 1000 = 0 then 'INTERNAL' end, case when i % 1000 = 0 then 'x' end
        from job, generate_series(1, ${JOBS}) i where tenant_id = '${tenant}';
      insert into job_metadata (tenant_id, key, value, job_id, created_at)
        select tenant_id, 'order', (i / 10)::text, id, created_at
        from (select *, substr(id, 5)::int as i from job where tenant_id = '${tenant}' and id like 'job_0%') as made
        union all
        select tenant_id, 'batch', 'big', id, created_at
        from (select *, substr(id, 5)::int as i from job where tenant_id = '${tenant}' and id like 'job_0%') as made
        where i % 50 = 0;
      delete from job_metadata where job_id = 'job_' || substr('${tenant}', 5);
      update job set created_at = timestamptz '${MOMENT}' - interval '1 day' where id = 'job_' || substr('${tenant}', 5);
    `);
  }
  await admin.query('analyze');
  app = await connect({ url: database.urls.app, applicationName: 'test' });
});

afterAll(async () => {
  await app[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

const place = (i: number) => ({ id: idOf(i), createdAt: at(i) });
// The one job that `seedTenantRows` made, and that is queued, counts as 0.
const idOf = (i: number) =>
  i === 0 ? (`job_${'A'.repeat(26)}` as Id<'job'>) : (`job_${String(i).padStart(26, '0')}` as Id<'job'>);
const at = (i: number) => new Date(Date.parse(MOMENT) + i * 1_000);
const query = (more: Partial<PageQuery>): PageQuery => ({
  tenantId,
  filter: {},
  after: null,
  limit: 21,
  ...more,
});

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Shared Hit Blocks': number;
  readonly 'Shared Read Blocks': number;
  readonly Plans?: readonly PlanNode[];
}

/** Runs `work` in a transaction of the tenant as the app's role, with row-level security on. */
async function asApp<T>(work: () => Promise<T>): Promise<T> {
  await app.query('begin');
  try {
    await app.query(`select set_config('app.tenant', $1, true)`, [tenantId]);
    return await work();
  } finally {
    await app.query('rollback');
  }
}

/** How a page is read; it is run. */
async function planOf(page: PageQuery): Promise<PlanNode> {
  const { text, values } = pageSql(page);
  type Explained = { 'QUERY PLAN': readonly [{ Plan: PlanNode }] };
  const [row] = await asApp(() =>
    app.query<Explained>(`explain (analyze, buffers, format json) ${text}`, values),
  );
  if (!row) throw new Error('There is no plan.');
  return row['QUERY PLAN'][0].Plan;
}

const nodesOf = (plan: PlanNode): readonly PlanNode[] => [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];

const PAGES: readonly (readonly [what: string, page: Partial<PageQuery>, newest: readonly number[]])[] = [
  ['one state', { filter: { states: ['FAILED'] } }, [20_000, 19_000, 18_000]],
  ['states that jobs leave again', { filter: { states: ['QUEUED', 'RUNNING'] }, limit: 21 }, [0]],
  ['no state at all', { filter: { states: [] } }, []],
  ['several states', { filter: { states: ['FAILED', 'CANCELLED'] } }, [20_000, 19_000, 18_000]],
  ['a variant', { filter: { variantId: `var_${'A'.repeat(26)}` }, after: place(501) }, [500, 499, 498]],
  ['a rare entry of metadata', { filter: { metadata: { key: 'order', value: '7' } } }, [79, 78, 77]],
  [
    'a common entry of metadata',
    { filter: { metadata: { key: 'batch', value: 'big' } } },
    [20_000, 19_950, 19_900],
  ],
  ['a time from which on', { filter: { createdAfter: at(19_998) } }, [20_000, 19_999, 19_998]],
  ['a time before which', { filter: { createdBefore: at(100) } }, [99, 98, 97]],
  [
    'a time before which, in the middle of a long history',
    { filter: { createdBefore: at(10_000) } },
    [9_999, 9_998],
  ],
  ['a cursor', { after: place(10_000) }, [9_999, 9_998]],
  [
    'a cursor among jobs with an entry',
    { filter: { metadata: { key: 'batch', value: 'big' } }, after: place(10_000) },
    [9_950],
  ],
  [
    'everything at once',
    {
      filter: {
        states: ['FAILED'],
        variantId: `var_${'A'.repeat(26)}`,
        metadata: { key: 'batch', value: 'big' },
        createdAfter: at(2_000),
        createdBefore: at(5_000),
      },
    },
    [4_000, 3_000, 2_000],
  ],
];

describe('a page of jobs, narrowed by', () => {
  it.each(PAGES)('%s, holds exactly what matches, newest first', async (_what, page, newest) => {
    const { text, values } = pageSql(query({ limit: newest.length, ...page }));
    const found = await asApp(() => app.query<{ id: string }>(text, values));
    expect(found.map(({ id }) => id)).toEqual(newest.map(idOf));
  });

  it.each(PAGES)(
    '%s, is read by an index under row-level security, and costs what it returns',
    async (_what, page) => {
      const nodes = nodesOf(await planOf(query(page)));
      expect(nodes.filter((node) => node['Node Type'] === 'Seq Scan')).toEqual([]);
      // The table alone has over 700 blocks.
      const [{ 'Shared Hit Blocks': hit, 'Shared Read Blocks': read }] = nodes as [PlanNode];
      expect(hit + read, JSON.stringify(nodes, null, 1)).toBeLessThan(250);
    },
  );
});

it('a page shows no other tenant’s jobs, whoever’s are asked for', async () => {
  const { text, values } = pageSql({ ...query({}), tenantId: otherId });
  expect(await asApp(() => app.query(text, values))).toEqual([]);
});

it('the metadata of jobs that were there before is found too', async () => {
  await using older = await createDatabase();
  await using admin = await connect({ url: older.adminUrl, applicationName: 'test' });
  const migration = new URL(
    '../../prisma/migrations/20261124020000_job_filters/migration.sql',
    import.meta.url,
  );
  await seedTenantRows(admin, tenantId);
  const entries = [
    { key: '__proto__', value: 'e\u0301' },
    { key: 'order', value: '' },
  ];
  await admin.query('update job set metadata = $1', [JSON.stringify(entries)]);
  await admin.query(
    'drop table job_metadata; drop index job_newest, job_succeeded, job_failed, job_cancelled',
  );

  await admin.query(`set role darkroom_owner; ${await readFile(migration, 'utf8')}`);

  const found = admin.query(
    'select key, value, job_metadata.created_at = job.created_at as is_same from job_metadata join job on id = job_id order by key',
  );
  expect(await found).toEqual(entries.map((entry) => ({ ...entry, is_same: true })));
});
