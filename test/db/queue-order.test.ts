import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { createCompletion } from '../../src/domains/generation/index.ts';
import { dueJobs } from '../../src/domains/scheduling/claim-store.ts';
import type { ClaimedJob } from '../../src/domains/scheduling/index.ts';
import { createScheduling } from '../../src/domains/scheduling/index.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { unarmed } from '../../src/kernel/fault-points.ts';
import { createIds } from '../../src/kernel/ids.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import type { Db } from '../../src/platform/db/index.ts';
import { openDb } from '../../src/platform/db/index.ts';
import type { TestApp, TestTenant } from '../support/app.ts';
import { startApp } from '../support/app.ts';
import { createDatabase } from '../support/database.ts';
import { QUICK } from '../support/jobs.ts';

const newId = createIds(systemClock, systemRandom);
const PARTS = ['text_encoder', 'unet', 'unet_cfg', 'vae_decoder'];
const silentBell = { ring: async () => true };

let app: TestApp;
let tenant: TestTenant;
let stack: AsyncDisposableStack;
let dispatcherDb: Db;
let scheduling: ReturnType<typeof createScheduling>;
let completion: ReturnType<typeof createCompletion>;

// No node is registered: the tests alone claim.
beforeAll(async () => {
  stack = new AsyncDisposableStack();
  const database = stack.use(await createDatabase());
  app = stack.use(await startApp({ database }, { background: { reapEveryMs: 3_600_000 } }));
  tenant = await app.createTenant({ credits: 1_000_000 });
  dispatcherDb = stack.adopt(
    openDb({ url: database.urls.dispatcher, poolMax: 4, applicationName: 'darkroom test' }),
    (db) => db.$disconnect(),
  );
  scheduling = createScheduling({ dispatcherDb, bell: silentBell, newId });
  completion = createCompletion({ dispatcherDb, bell: silentBell, newId, reach: unarmed });
});

afterAll(() => stack.disposeAsync());

beforeEach(async () => {
  await app.sql(`update job set state = 'CANCELLED', holder = null, lease_until = null, finished_at = now()
    where state in ('QUEUED', 'RUNNING')`);
});

const submit = () => tenant.client.submitJob(QUICK);

function claim(more: { readonly parts?: readonly string[]; readonly rows?: number }) {
  const request = { holder: newId('dispatcher'), engineKey: 'pico:1', leaseMs: 60_000 };
  return scheduling.claim({ ...request, parts: PARTS, rows: 1, ...more });
}

async function claimOne(): Promise<ClaimedJob> {
  const [job] = await claim({});
  if (!job) throw new Error('nothing was claimed');
  return job;
}

describe('the queue', () => {
  it('goes by when a job was made, not by what its id says', async () => {
    const [first, second] = [await submit(), await submit()];
    await app.sql(`update job set created_at = created_at - interval '1 minute' where id = $1`, [second.id]);
    expect(await claimOne()).toMatchObject({ id: second.id });
    expect(await claimOne()).toMatchObject({ id: first.id });
  });

  it('reads the queue of an engine in its order from an index, however much waits for it or for another', async () => {
    const { id } = await submit();
    await app.sql(
      `insert into job (tenant_id, id, key_id, variant_owner_id, variant_id, version_id, engine_key, recipe, metadata,
         parts, total_steps, credits, last_sequence, created_at)
       select tenant_id, id || n, key_id, variant_owner_id, variant_id, version_id, 'other:' || n % 3, recipe, metadata,
         'unet' || case n % 2 when 0 then '_cfg' else '' end, total_steps, credits, 1,
         now() - make_interval(secs => n) from job, generate_series(1, 3000) n where id = $1`,
      [id],
    );
    await app.sql('analyze job');
    const rows = await dispatcherDb.$queryRaw<
      { 'QUERY PLAN': string }[]
    >`explain ${dueJobs({ engineKey: 'other:1', parts: PARTS, rows: 8 })}`;
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
    expect(plan).toMatch(/Index Scan using job_claim/);
    expect(plan).toMatch(/Index Cond: .*parts = called\.parts/);
    expect(plan).not.toMatch(/Sort|Seq Scan/);
  });
});

describe('the parts that a job calls', () => {
  it('are served by whoever is given it: those that lack one pass over it, and leave them to one that has it', async () => {
    const guided = await submit();
    const plain = await tenant.client.submitJob({ ...QUICK, guidanceScale: 1 });
    const without = (part: string) => PARTS.filter((each) => each !== part);
    expect(await claim({ parts: without('vae_decoder') })).toEqual([]);
    expect(await claim({ parts: without('unet_cfg') })).toMatchObject([{ id: plain.id }]);
    expect(await claim({ parts: without('unet') })).toMatchObject([{ id: guided.id }]);
  });

  it('say nothing of its turn: the oldest goes first', async () => {
    const ids: string[] = [];
    for (const guidanceScale of [1, 4, 4, 1, 1, 4])
      ids.push((await tenant.client.submitJob({ ...QUICK, guidanceScale })).id);
    expect((await claim({ rows: 4 })).map(({ id }) => id).toSorted()).toEqual(ids.slice(0, 4));
    expect((await claim({ rows: 4 })).map(({ id }) => id).toSorted()).toEqual(ids.slice(4));
  });

  it('may be unknown, of jobs of an earlier version: whoever serves the engine takes them', async () => {
    const { id } = await submit();
    await app.sql(`update job set parts = '' where id = $1`, [id]);
    expect(await claim({})).toMatchObject([{ id }]);
  });
});

describe('times', () => {
  it('are those of the database, whatever the processes think it is', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: systemClock.nowMs() + 24 * 3_600_000 });
    try {
      const { id } = await submit();
      const job = await claimOne();
      const { tenantId, fence, nextSequence } = job;
      const progress = { tenantId, jobId: job.id, fence, sequence: nextSequence, step: 1, preview: null };
      await scheduling.progress([{ ...progress, type: 'STEP' }]);
      const run = { tenantId, jobId: job.id, fence, step: 4, pending: [], nextSequence: nextSequence + 1 };
      await completion.complete(run, { state: 'SUCCEEDED', images: [], credits: 4 });
      const times = await app.sql<{ what: string; off: boolean }>(
        `select what, abs(extract(epoch from at - clock_timestamp())) > 3600 as off from (
           select 'created' as what, created_at as at from job where id = $1
           union all select 'started', started_at from job where id = $1
           union all select 'finished', finished_at from job where id = $1
           union all select type::text, at from event where job_id = $1
           union all select 'STEP', at from job_progress where job_id = $1
           union all select 'usage', created_at from usage_entry where job_id = $1
           union all select 'held', created_at from reservation where job_id = $1
         ) as times`,
        [id],
      );
      expect(times).toHaveLength(9);
      expect(times.filter(({ off }) => off)).toEqual([]);
    } finally {
      vi.useRealTimers();
    }
  });
});
