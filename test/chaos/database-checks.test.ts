import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Connection } from '../../src/platform/db/connect.ts';
import { connect } from '../../src/platform/db/connect.ts';
import type { TestDatabase } from '../support/database.ts';
import { createDatabase } from '../support/database.ts';
import { seedTenantRows } from '../support/tenant-rows.ts';
import { checkDatabase } from './database-checks.ts';
import type { Invariant } from './violation.ts';

const BODY = 'A'.repeat(26);
const TENANT = `ten_${BODY}`;
const DONE = `job_${BODY}`;
const STOPPED = `job_${'B'.repeat(26)}`;
const UNBORN = `job_${'C'.repeat(26)}`;

// A job that succeeded after one interruption, one that was cancelled half-way and one that never ran.
const QUIET = `
  update job set state = 'SUCCEEDED', recipe = '{"settings": {"imageCount": 1}}', started_at = now(), finished_at = now(),
    step = 8, recoveries = 1, last_sequence = 7 where id = '${DONE}';
  delete from job_progress;
  insert into event (tenant_id, job_id, sequence, type) values
    ('${TENANT}', '${DONE}', 2, 'STARTED'), ('${TENANT}', '${DONE}', 3, 'REQUEUED'), ('${TENANT}', '${DONE}', 4, 'STARTED');
  insert into event (tenant_id, job_id, sequence, type, image_id)
    values ('${TENANT}', '${DONE}', 6, 'IMAGE', 'img_${BODY}');
  insert into event (tenant_id, job_id, sequence, type) values ('${TENANT}', '${DONE}', 7, 'COMPLETED');
  update reservation set settled_at = now();
  insert into usage_entry (tenant_id, id, kind, job_id, credits, note)
    values ('${TENANT}', 'usg_1', 'USAGE', '${DONE}', -8, 'job');

  insert into job (tenant_id, id, key_id, variant_owner_id, variant_id, version_id, engine_key, recipe, metadata, state,
      step, total_steps, credits, last_sequence, started_at, finished_at)
    select tenant_id, '${STOPPED}', key_id, variant_owner_id, variant_id, version_id, engine_key, recipe, '[]', 'CANCELLED',
      3, 8, 3, 3, now(), now() from job where id = '${DONE}';
  insert into event (tenant_id, job_id, sequence, type) values ('${TENANT}', '${STOPPED}', 1, 'QUEUED'),
    ('${TENANT}', '${STOPPED}', 2, 'STARTED'), ('${TENANT}', '${STOPPED}', 3, 'CANCELLED');
  insert into reservation (tenant_id, job_id, credits, settled_at) values ('${TENANT}', '${STOPPED}', 8, now());
  insert into usage_entry (tenant_id, id, kind, job_id, credits, note)
    values ('${TENANT}', 'usg_2', 'USAGE', '${STOPPED}', -3, 'job');

  insert into job (tenant_id, id, key_id, variant_owner_id, variant_id, version_id, engine_key, recipe, metadata, state,
      step, total_steps, credits, last_sequence, finished_at)
    select tenant_id, '${UNBORN}', key_id, variant_owner_id, variant_id, version_id, engine_key, recipe, '[]', 'CANCELLED',
      0, 8, 0, 2, now() from job where id = '${DONE}';
  insert into event (tenant_id, job_id, sequence, type)
    values ('${TENANT}', '${UNBORN}', 1, 'QUEUED'), ('${TENANT}', '${UNBORN}', 2, 'CANCELLED');
  insert into reservation (tenant_id, job_id, credits, settled_at) values ('${TENANT}', '${UNBORN}', 8, now());
`;

let database: TestDatabase;
let admin: Connection;

beforeAll(async () => {
  database = await createDatabase();
  admin = await connect({ url: database.adminUrl, applicationName: 'darkroom test' });
  await seedTenantRows(admin, TENANT);
  await admin.query(QUIET);
});

afterAll(async () => {
  await admin[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

/** What the checks find once `sql` has been done to the quiet database, which is then as it was. */
async function findAfter(sql: string) {
  await admin.query('begin');
  try {
    await admin.query(sql);
    const told = { jobIds: [DONE, STOPPED, UNBORN], balances: new Map([[TENANT, 100 - 8 - 3]]) };
    return await checkDatabase(admin, told);
  } finally {
    await admin.query('rollback');
  }
}

const usage = (id: string, job: string, credits: number) => `
  alter table usage_entry drop constraint usage_entry_tenant_id_job_id_key;
  insert into usage_entry (tenant_id, id, kind, job_id, credits, note)
    values ('${TENANT}', '${id}', 'USAGE', '${job}', ${credits}, 'job');`;

const PLANTED: readonly [what: string, sql: string, invariant: Invariant, subject: string][] = [
  [
    'a job that is gone',
    `set session_replication_role = replica; delete from job where id = '${UNBORN}'`,
    'lost',
    UNBORN,
  ],
  [
    'a job that never ends',
    `update job set state = 'QUEUED', finished_at = null where id = '${STOPPED}'`,
    'lost',
    STOPPED,
  ],
  [
    'a job that nobody was told of',
    `set session_replication_role = replica; update job set id = 'job_Z' where id = '${UNBORN}'`,
    'lost',
    'job_Z',
  ],
  [
    'a job that failed because something died',
    `update job set state = 'FAILED', error_code = 'INTERNAL', error_message = 'x' where id = '${DONE}'`,
    'lost',
    DONE,
  ],
  [
    'a job with two ends',
    `insert into event (tenant_id, job_id, sequence, type) values ('${TENANT}', '${DONE}', 8, 'CANCELLED')`,
    'state',
    DONE,
  ],
  [
    'a job without an end',
    `delete from event where job_id = '${DONE}' and type = 'COMPLETED'`,
    'state',
    DONE,
  ],
  [
    'an end that is not the state',
    `update event set type = 'FAILED' where type = 'COMPLETED'`,
    'state',
    DONE,
  ],
  [
    'a step after the end',
    `insert into job_progress (tenant_id, job_id, sequence, type, step) values ('${TENANT}', '${DONE}', 9, 'STEP', 1)`,
    'state',
    DONE,
  ],
  ['an ended job that is held', `update job set holder = 'dsp_1' where id = '${DONE}'`, 'state', DONE],
  ['an interruption that was not told', `delete from event where type = 'REQUEUED'`, 'state', DONE],
  ['a second charge', usage('usg_3', DONE, -8), 'twice', DONE],
  ['a second charge of nothing', usage('usg_3', DONE, 0), 'twice', DONE],
  ['a job that ran for nothing', `delete from usage_entry where job_id = '${DONE}'`, 'ledger', DONE],
  ['a charge for what never ran', usage('usg_3', UNBORN, 0), 'ledger', UNBORN],
  [
    'a charge that is not the price',
    `update usage_entry set credits = -7 where job_id = '${DONE}'`,
    'ledger',
    DONE,
  ],
  [
    'the whole price of half a job',
    `update usage_entry set credits = -8 where job_id = '${STOPPED}'; update job set credits = 8 where id = '${STOPPED}'`,
    'ledger',
    STOPPED,
  ],
  [
    'credits held for an ended job',
    `update reservation set settled_at = null where job_id = '${DONE}'`,
    'quota',
    DONE,
  ],
  ['a job that held nothing', `delete from reservation where job_id = '${UNBORN}'`, 'quota', UNBORN],
  [
    'a balance that is not the sum',
    `update usage_entry set credits = 99 where kind = 'GRANT'`,
    'quota',
    TENANT,
  ],
  ['a picture that is missing', `set session_replication_role = replica; delete from image`, 'output', DONE],
  ['a picture of another number', `update image set position = 1`, 'output', DONE],
  [
    'a picture of a cancelled job',
    `insert into image select tenant_id, 'img_1', '${STOPPED}', position, width, height, seed, format, bytes, sha256,
      pixel_sha256, object_key, thumbnail_key, created_at from image`,
    'output',
    STOPPED,
  ],
  ['a picture that was not told', `delete from event where type = 'IMAGE'`, 'output', DONE],
];

describe('the look at the database', () => {
  it('finds nothing where all is well', async () => {
    expect(await findAfter('select 1')).toEqual([]);
  });

  it.each(PLANTED)('finds %s', async (_what, sql, invariant, subject) => {
    expect(await findAfter(sql)).toContainEqual({ invariant, subject, what: expect.any(String) });
  });

  it('takes a job for given up rather than failed that was interrupted as often as is allowed', async () => {
    const poisoned = (recoveries: number) => `
      update job set state = 'FAILED', error_code = 'POISONED', error_message = 'x', recoveries = ${recoveries}
      where id = '${DONE}'`;
    const isLost = ({ invariant }: { invariant: Invariant }) => invariant === 'lost';

    expect((await findAfter(poisoned(10))).filter(isLost)).toEqual([]);
    expect((await findAfter(poisoned(9))).filter(isLost)).toHaveLength(1);
  });
});
