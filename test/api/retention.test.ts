import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ObjectKeepingSettings } from '../../src/background/index.ts';
import { startObjectKeeping } from '../../src/background/index.ts';
import { createRetention } from '../../src/domains/generation/index.ts';
import type { Clock } from '../../src/kernel/clock.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { createIds } from '../../src/kernel/ids.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import type { Db } from '../../src/platform/db/index.ts';
import { openDb } from '../../src/platform/db/index.ts';
import type { ObjectStore } from '../../src/platform/objects/index.ts';
import { openS3Store } from '../../src/platform/objects/s3-store.ts';
import type { TestApp, TestTenant } from '../support/app.ts';
import { startApp } from '../support/app.ts';
import type { TestDatabase } from '../support/database.ts';
import { createDatabase } from '../support/database.ts';
import { runOnDatabase } from '../support/database-command.ts';
import { QUICK, runJob } from '../support/jobs.ts';
import { openFolderStore } from '../support/folder-store.ts';
import { startPicoNode } from '../support/node.ts';
import { isS3Skipped, startS3Server, toS3Variables } from '../support/s3-server.ts';
import { silentLog } from '../support/silent-log.ts';

const SOON = { timeout: 20_000, interval: 20 };
const DAY_MS = 24 * 60 * 60_000;
const NEVER_MS = 10 * DAY_MS;
const png = { contentType: 'image/png', ifNoneMatch: true } as const;
const newId = createIds(systemClock, systemRandom);

interface Place {
  readonly store: ObjectStore;
  readonly options: Pick<Parameters<typeof startApp>[0] & object, 'variables' | 'objectsDirectory'>;
}

const PLACES: Readonly<Record<string, (stack: AsyncDisposableStack) => Promise<Place>>> = {
  async 'a folder'(stack) {
    const { store, directory } = await openFolderStore(stack);
    return { store, options: { objectsDirectory: directory } };
  },
  async S3(stack) {
    const server = stack.use(await startS3Server());
    const settings = await server.createBucket();
    const store = await openS3Store({ settings, clock: systemClock, random: systemRandom });
    return { store: stack.use(store), options: { variables: toS3Variables(settings) } };
  },
};

describe.each(Object.keys(PLACES).filter((name) => name !== 'S3' || !isS3Skipped))(
  'pictures in %s',
  (name) => {
    let stack: AsyncDisposableStack;
    let database: TestDatabase;
    let systemDb: Db;
    let store: ObjectStore;
    let app: TestApp;
    let tenant: TestTenant;

    beforeAll(async () => {
      stack = new AsyncDisposableStack();
      database = stack.use(await createDatabase());
      const place = await PLACES[name]?.(stack);
      if (!place) throw new Error(`There is no place ${name}.`);
      ({ store } = place);
      const node = stack.use(await startPicoNode());
      // The looks of the app itself are put off: each test starts its own.
      const objectKeeping = {
        expireEveryMs: NEVER_MS,
        orphanStepEveryMs: NEVER_MS,
        orphanWalkEveryMs: NEVER_MS,
      };
      app = stack.use(
        await startApp({ nodeAddress: node.address, database, ...place.options }, { objectKeeping }),
      );
      const url = database.urls.system;
      systemDb = stack.adopt(openDb({ url, poolMax: 2, applicationName: 'darkroom test' }), (db) =>
        db.$disconnect(),
      );
      tenant = await app.createTenant();
    });
    afterAll(() => stack.disposeAsync());

    interface Keeping {
      readonly objects?: Pick<ObjectStore, 'delete' | 'list'>;
      readonly clock?: Clock;
      readonly settings?: Partial<ObjectKeepingSettings>;
    }
    const keep = ({ objects = store, clock = systemClock, settings = {} }: Keeping = {}) =>
      startObjectKeeping({
        objects,
        retention: createRetention(systemDb),
        clock,
        settings: {
          expireEveryMs: 20,
          orphanStepEveryMs: 20,
          orphanWalkEveryMs: 20,
          orphanAgeMs: DAY_MS,
          ...settings,
        },
        logger: silentLog,
      });

    const command = (...args: readonly string[]) => runOnDatabase(database, ['tenant', ...args]);

    const keysUnder = async (prefix: string) =>
      (await Array.fromAsync(store.list(prefix))).map(({ key }) => key).toSorted();
    const imageOf = async ({ client }: TestTenant, jobId: string) => (await client.job(jobId))?.images[0];
    const age = (jobId: string, days: number) =>
      app.sql(`update image set created_at = now() - make_interval(days => $2) where job_id = $1`, [
        jobId,
        days,
      ]);
    const isDeleted = async (jobId: string) =>
      (await app.sql('select 1 from image where job_id = $1 and objects_deleted_at is null', [jobId]))
        .length === 0;

    it('are kept for as many days as the tenant has, and for ever by default', async () => {
      const other = await app.createTenant();
      const [old, young] = [(await runJob(tenant, QUICK)).job, (await runJob(tenant, QUICK)).job];
      const others = (await runJob(other, QUICK)).job;
      await age(old.id, 31);
      await age(young.id, 29);
      await age(others.id, 3_000);
      const link = old.images[0]?.url ?? '';
      const update = await command('update', tenant.id, '--retention-days', '30', '--json');
      expect(JSON.parse(update.out)).toEqual({ tenantId: tenant.id, retentionDays: 30 });

      {
        await using _ = keep();
        await expect.poll(() => isDeleted(old.id), SOON).toBe(true);
      }

      expect(await imageOf(tenant, old.id)).toMatchObject({
        ...old.images[0],
        url: null,
        urlExpiresAt: null,
        thumbnailUrl: null,
        expiredAt: expect.stringMatching(/^2\d{3}-/) as string,
      });
      expect(await keysUnder(`${tenant.id}/${old.id}/`)).toEqual([]);
      expect((await fetch(link)).status).toBe(404);
      for (const [owner, { id }] of [
        [tenant, young],
        [other, others],
      ] as const) {
        const image = await imageOf(owner, id);
        expect(image?.expiredAt).toBeNull();
        expect((await fetch(image?.url ?? '')).status).toBe(200);
      }
    });

    it('are told as expired before the first of them is deleted, and deleted by whoever comes next', async () => {
      const { job } = await runJob(tenant, QUICK);
      await age(job.id, 31);
      const prefix = `${tenant.id}/${job.id}/`;
      const stored = await keysUnder(prefix);
      const seen: unknown[] = [];
      const dying = {
        ...store,
        list: store.list,
        async delete() {
          seen.push((await imageOf(tenant, job.id))?.url);
          throw new Error('as if it had died here');
        },
      };
      {
        await using _ = keep({ objects: dying });
        await expect.poll(() => seen.length, SOON).toBeGreaterThan(0);
      }
      expect(seen[0]).toBeNull();
      expect(await keysUnder(prefix)).toEqual(stored);
      expect(await isDeleted(job.id)).toBe(false);

      await using _ = keep();
      await expect.poll(() => isDeleted(job.id), SOON).toBe(true);
      expect(await keysUnder(prefix)).toEqual([]);
    });

    it('that cannot be deleted keep none of the others waiting', async () => {
      const jobs = [(await runJob(tenant, QUICK)).job, (await runJob(tenant, QUICK)).job];
      const [stuck = jobs[0], other = jobs[0]] = jobs;
      if (!stuck || !other) throw new Error('There are two jobs.');
      await age(stuck.id, 60);
      await age(other.id, 50);
      const objects = {
        list: (prefix: string) => store.list(prefix),
        async delete(key: string) {
          if (key.includes(stuck.id)) throw new Error('not this one');
          await store.delete(key);
        },
      };
      {
        await using _ = keep({ objects });
        await expect.poll(() => isDeleted(other.id), SOON).toBe(true);
        expect(await isDeleted(stuck.id)).toBe(false);
      }
      await using _ = keep();
      await expect.poll(() => isDeleted(stuck.id), SOON).toBe(true);
    });

    it('that no row names are collected once a day has passed, and nothing else is', async () => {
      const { job } = await runJob(tenant, QUICK);
      const named = await keysUnder(`${tenant.id}/${job.id}/`);
      const orphans = [
        `${tenant.id}/${job.id}/7/${newId('image')}.png`,
        `${tenant.id}/${job.id}/7/x-thumbnail.webp`,
      ];
      const { id: waiting } = (
        await app.sql<{ id: string }>(
          `insert into job select (j).* from (select jsonb_populate_record(job, jsonb_build_object('id', $2::text,
        'state', 'RUNNING', 'fence', 3, 'holder', 'dsp_x', 'lease_until', now() + interval '1 hour',
        'finished_at', null)) as j from job where id = $1) x returning id`,
          [job.id, newId('job')],
        )
      )[0] ?? { id: '' };
      const kept = [
        // Of the attempt that runs now.
        `${tenant.id}/${waiting}/3/${newId('image')}.png`,
        // Of a job that this database does not know: another installation's, perhaps.
        `${newId('tenant')}/${newId('job')}/1/${newId('image')}.png`,
        'probe/of-a-start-that-died',
      ];
      for (const key of [...orphans, ...kept]) await store.put(key, new Uint8Array(3), png);
      const all = await keysUnder('');

      const steps = { list: 0 };
      const counted = {
        delete: (key: string) => store.delete(key),
        list(prefix: string) {
          steps.list += 1;
          return store.list(prefix);
        },
      };
      {
        await using _ = keep({ objects: counted });
        // The third walk begins when the second is over.
        await expect.poll(() => steps.list, SOON).toBeGreaterThan(2);
      }
      expect(await keysUnder('')).toEqual(all);

      const tomorrow: Clock = { ...systemClock, nowMs: () => systemClock.nowMs() + DAY_MS + 60_000 };
      await using _ = keep({ clock: tomorrow });
      await expect.poll(() => keysUnder(`${tenant.id}/${job.id}/`), SOON).toEqual(named);
      expect(await keysUnder('')).toEqual(all.filter((key) => !orphans.includes(key)));
    });

    it('tell their tenant for how long, and an operator what is wrong with a number', async () => {
      const asked = '{ viewer { tenant { retentionDays } } }';
      const answer = async () => (await app.request(tenant, asked)).data;
      expect(await answer()).toEqual({ viewer: { tenant: { retentionDays: 30 } } });
      expect((await command('update', tenant.id, '--retention-days', 'forever')).out).toContain('for ever');
      expect(await answer()).toEqual({ viewer: { tenant: { retentionDays: null } } });
      for (const days of ['0', '36501']) {
        const refused = await command('update', tenant.id, '--retention-days', days);
        expect(refused).toEqual({ code: 1, out: '', err: 'Pictures are kept for 1 to 36500 days.\n' });
      }
      const nobody = newId('tenant');
      const unknown = await command('update', nobody, '--retention-days', '3');
      expect(unknown).toEqual({ code: 1, out: '', err: `There is no tenant ${nobody}.\n` });
    });
  },
);
