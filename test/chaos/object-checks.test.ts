import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import type { Connection } from '../../src/platform/db/connect.ts';
import { connect } from '../../src/platform/db/connect.ts';
import type { LocalStore } from '../../src/platform/objects/index.ts';
import { openLocalStore } from '../../src/platform/objects/index.ts';
import type { TestDatabase } from '../support/database.ts';
import { createDatabase } from '../support/database.ts';
import { seedTenantRows } from '../support/tenant-rows.ts';
import { checkObjects } from './object-checks.ts';
import { checkPictures } from './picture-checks.ts';

const BODY = 'A'.repeat(26);
const TENANT = `ten_${BODY}`;
const JOB = `job_${BODY}`;
const QUIET = `job_${'B'.repeat(26)}`;

const stack = new AsyncDisposableStack();
let database: TestDatabase;
let admin: Connection;
let directory: string;
let objects: LocalStore;

beforeAll(async () => {
  database = stack.use(await createDatabase());
  admin = stack.use(await connect({ url: database.adminUrl, applicationName: 'darkroom test' }));
  directory = await mkdtemp(join(tmpdir(), 'darkroom-chaos-objects-'));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  objects = stack.use(
    await openLocalStore({
      directory,
      baseUrl: () => '',
      signingKey: systemRandom.bytes(32),
      clock: systemClock,
      random: systemRandom,
    }),
  );
  await seedTenantRows(admin, TENANT);
  await admin.query(`insert into job (tenant_id, id, key_id, variant_owner_id, variant_id, version_id, engine_key, recipe,
      metadata, total_steps, credits, last_sequence)
    select tenant_id, '${QUIET}', key_id, variant_owner_id, variant_id, version_id, engine_key, recipe, metadata, 8, 8, 1
    from job`);
  await admin.query(`update event set image_id = null`);
});

afterAll(() => stack.disposeAsync());

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

let files = 0;

/** Stores a picture of one grey and records it as the only one of the job. */
async function show(
  jobId: string,
  grey: number,
): Promise<{ readonly key: string; readonly thumbnail: string }> {
  const create = { width: 8, height: 8, channels: 3 as const, background: { r: grey, g: grey, b: grey } };
  const file = await sharp({ create }).png().toBuffer();
  files += 1;
  const key = `pictures/${files}.png`;
  const thumbnail = `pictures/${files}-thumbnail.webp`;
  await objects.put(key, file, { contentType: 'image/png', ifNoneMatch: true });
  await objects.put(thumbnail, file, { contentType: 'image/webp', ifNoneMatch: true });
  await admin.query(`delete from image where job_id = '${jobId}'`);
  await admin.query(`
    insert into image (tenant_id, id, job_id, position, width, height, seed, format, bytes, sha256, pixel_sha256,
        object_key, thumbnail_key)
      values ('${TENANT}', 'img_${files}', '${jobId}', 0, 8, 8, 1, 'PNG', ${file.length}, '${sha256(file)}', '${grey}',
        '${key}', '${thumbnail}')`);
  return { key, thumbnail };
}

describe('the look at the stored files', () => {
  it('finds nothing where every picture is stored as recorded, and tells what nobody can reach', async () => {
    await show(JOB, 10);
    const before = await checkObjects(admin, objects);
    const { key, thumbnail } = await show(JOB, 10);
    const after = await checkObjects(admin, objects);

    expect([...before.violations, ...after.violations]).toEqual([]);
    expect(before.orphans).not.toContain(key);
    expect(after.orphans).not.toContain(thumbnail);
    expect(after.orphans).toHaveLength(before.orphans.length + 2);
  });

  it.each([
    ['a picture', 'key' as const],
    ['a thumbnail', 'thumbnail' as const],
  ])('finds %s that is not stored', async (_what, which) => {
    const shown = await show(JOB, 10);
    await objects.delete(shown[which]);

    expect((await checkObjects(admin, objects)).violations).toEqual([
      { invariant: 'output', subject: JOB, what: `${shown[which]} is not stored` },
    ]);
  });

  it('finds a picture whose bytes have changed since they were stored', async () => {
    const { key } = await show(JOB, 10);
    const other = await show(JOB, 11);
    await admin.query(`update image set object_key = '${key}'`);
    expect((await checkObjects(admin, objects)).violations).toEqual([
      { invariant: 'output', subject: JOB, what: `${key} is not what was recorded` },
    ]);

    await admin.query(`update image set object_key = '${other.key}'`);
    const path = join(directory, 'pictures@', `${files}.png`);
    const bytes = Buffer.from(
      await Array.fromAsync((await objects.open(other.key))?.stream ?? []).then(Buffer.concat),
    );
    bytes[40] = (bytes[40] ?? 0) ^ 1;
    await writeFile(path, bytes, { flag: 'r+' });
    expect((await checkObjects(admin, objects)).violations).toHaveLength(1);
  });
});

describe('the look at the pixels', () => {
  const look = () => checkPictures(admin, objects, [{ quietId: QUIET, jobIds: [JOB] }]);

  it.each([
    ['equal', 10, { compared: 1, close: 0 }],
    ['off by one', 11, { compared: 1, close: 1 }],
  ])('finds nothing in pictures that are %s', async (_what, grey, counts) => {
    await show(QUIET, 10);
    await show(JOB, grey);

    expect(await look()).toEqual({ violations: [], ...counts });
  });

  it('finds a picture that is off by two, and one that has no twin', async () => {
    await show(QUIET, 10);
    await show(JOB, 12);
    expect((await look()).violations).toEqual([
      { invariant: 'output', subject: JOB, what: expect.stringContaining('2/255 off') },
    ]);

    await admin.query(`delete from image where job_id = '${QUIET}'`);
    expect((await look()).violations).toHaveLength(1);
  });
});
