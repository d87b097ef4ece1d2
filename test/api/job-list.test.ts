import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobSubmitInput } from '../../src/client/index.ts';
import { toCursor } from '../../src/kernel/pages.ts';
import type { TestApp, TestTenant } from '../support/app.ts';
import { startApp } from '../support/app.ts';
import { QUICK } from '../support/jobs.ts';

const LIST = `query ($first: Int, $after: String, $filter: JobFilterInput) {
  jobs(first: $first, after: $after, filter: $filter) { nodes { id createdAt } pageInfo { hasNextPage endCursor } }
}`;

interface Page {
  readonly nodes: readonly { readonly id: string; readonly createdAt: string }[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
}

let app: TestApp;

beforeAll(async () => {
  app = await startApp();
});

afterAll(() => app[Symbol.asyncDispose]());

async function list(tenant: TestTenant, variables: object): Promise<Page> {
  const { data, errors } = await app.request(tenant, LIST, variables);
  expect(errors).toEqual([]);
  return (data as unknown as { jobs: Page }).jobs;
}

const idsOf = ({ nodes }: Page) => nodes.map(({ id }) => id);

async function submit(tenant: TestTenant, input: Partial<JobSubmitInput> = {}) {
  return (await tenant.client.submitJob({ ...QUICK, ...input })).id;
}

/** Every page from the newest on, with jobs added between any two. */
async function readAll(tenant: TestTenant, variables: object): Promise<readonly string[]> {
  const seen: string[] = [];
  for (let after: string | null = null, hasNext = true; hasNext;) {
    const page: Page = await list(tenant, { ...variables, after });
    seen.push(...idsOf(page));
    ({ endCursor: after, hasNextPage: hasNext } = page.pageInfo);
    await Promise.all(
      Array.from({ length: 3 }, () => submit(tenant, { metadata: [{ key: 'order', value: '7' }] })),
    );
  }
  return seen;
}

describe('pages of jobs', () => {
  it('hold every job once, newest first, while jobs are added at once from all sides', async () => {
    const tenant = await app.createTenant();
    await Promise.all(Array.from({ length: 20 }, () => submit(tenant)));
    const there = idsOf(await list(tenant, { first: 100 }));
    expect(there).toHaveLength(20);
    expect(await readAll(tenant, { first: 3 })).toEqual(there);
  });

  it('hold every job once also where jobs are as old as each other', async () => {
    const tenant = await app.createTenant();
    for (let i = 0; i < 7; i += 1) await submit(tenant);
    await app.sql(`update job set created_at = '2026-01-01T00:00:00Z' where tenant_id = $1`, [tenant.id]);
    const there = idsOf(await list(tenant, { first: 100 }));
    expect(there).toEqual(there.toSorted().toReversed());
    expect(
      await readAll(tenant, { first: 2, filter: { createdBefore: '2026-01-01T00:00:00.001Z' } }),
    ).toEqual(there);
  });

  it('hold what a filter admits and nothing else, to the last page', async () => {
    const tenant = await app.createTenant();
    const made: string[] = [];
    for (let i = 0; i < 9; i += 1) {
      made.unshift(await submit(tenant, { metadata: i % 2 === 0 ? [{ key: 'order', value: '6' }] : [] }));
    }
    const even = made.filter((_, i) => i % 2 === 0);
    const filter = { metadata: { key: 'order', value: '6' }, states: ['QUEUED'] };
    expect(await readAll(tenant, { first: 2, filter })).toEqual(even);
  });
});

describe('the filters', () => {
  it('by time take the moment itself in at one end and leave it out at the other', async () => {
    const tenant = await app.createTenant();
    const ids = [await submit(tenant), await submit(tenant), await submit(tenant)];
    for (const [i, id] of ids.entries()) {
      await app.sql('update job set created_at = $2 where id = $1', [id, `2026-01-01T00:00:00.00${i}Z`]);
    }
    const [first, second, third] = ids;
    const at = '2026-01-01T00:00:00.001Z';
    const found = async (filter: object) => idsOf(await list(tenant, { filter }));
    expect(await found({ createdAfter: at })).toEqual([third, second]);
    expect(await found({ createdBefore: at })).toEqual([first]);
    expect(await found({ createdAfter: at, createdBefore: '2026-01-01T00:00:00.002Z' })).toEqual([second]);
    expect(await found({ createdAfter: at, createdBefore: at })).toEqual([]);
    expect(
      await found({ createdAfter: '0001-01-01T00:00:00Z', createdBefore: '9999-12-31T23:59:59.999Z' }),
    ).toEqual(await found({}));
    expect(await found({ createdAfter: '2026-01-01T01:00:00.001+01:00' })).toEqual([third, second]);
  });

  it('by states take any of them, and none when there is none', async () => {
    const tenant = await app.createTenant();
    const [queued, cancelled] = [await submit(tenant), await submit(tenant)];
    await tenant.client.cancelJob(cancelled);
    const found = async (states: readonly string[] | null) =>
      idsOf(await list(tenant, { filter: { states } }));
    expect(await found(['QUEUED'])).toEqual([queued]);
    expect(await found(['CANCELLED', 'CANCELLED', 'FAILED'])).toEqual([cancelled]);
    expect(await found(['QUEUED', 'CANCELLED'])).toEqual([cancelled, queued]);
    expect(await found([])).toEqual([]);
    expect(await found(null)).toEqual([cancelled, queued]);
  });

  it('by metadata take entries that are equal byte for byte, whatever they are made of', async () => {
    const tenant = await app.createTenant();
    const entries = [
      { key: '__proto__', value: 'polluted' },
      { key: 'constructor', value: '' },
      { key: 'toString', value: `e${'\u0301'.repeat(500)}` },
      { key: 'e\u0301', value: '\u202eright to left\u202c' },
      { key: '\u00e9', value: '👩‍👩‍👧' },
      { key: ' order', value: "'; drop table job; --" },
      { key: '%', value: '_' },
      { key: '\u{1f34e}'.repeat(32), value: '\u{1f34e}'.repeat(256) },
      { key: '漢'.repeat(64), value: '漢'.repeat(512) },
    ];
    const id = await submit(tenant, { metadata: entries });
    for (const metadata of entries) expect(idsOf(await list(tenant, { filter: { metadata } }))).toEqual([id]);
    for (const metadata of [
      { key: '\u00e9', value: '\u202eright to left\u202c' },
      { key: '__proto__', value: 'Polluted' },
      { key: 'order', value: "'; drop table job; --" },
      { key: '%', value: 'x' },
      { key: 'constructor', value: ' ' },
    ]) {
      expect(idsOf(await list(tenant, { filter: { metadata } }))).toEqual([]);
    }
    const [row] = await app.sql<{ bytes: string }>(
      `select encode(convert_to(metadata -> 2 ->> 'value', 'UTF8'), 'hex') as bytes from job where id = $1`,
      [id],
    );
    expect(row?.bytes).toBe(Buffer.from(`e${'\u0301'.repeat(500)}`).toString('hex'));
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  });

  it('find nothing of another tenant', async () => {
    const [owner, stranger] = [await app.createTenant(), await app.createTenant()];
    const metadata = { key: 'order', value: 'secret' };
    await submit(owner, { metadata: [metadata] });
    expect(idsOf(await list(stranger, { filter: { metadata } }))).toEqual([]);
    expect(idsOf(await list(owner, { filter: { metadata } }))).toHaveLength(1);
  });
});

describe('a cursor', () => {
  it('that this list did not give out is BAD_USER_INPUT, in the same words whatever is wrong with it', async () => {
    const [owner, stranger] = [await app.createTenant(), await app.createTenant()];
    await submit(owner);
    await submit(stranger);
    const { pageInfo } = await list(owner, { first: 1 });
    const own = pageInfo.endCursor ?? '';
    const { pageInfo: foreign } = await list(stranger, { first: 1 });
    const forged = [
      foreign.endCursor,
      '',
      own.slice(0, -1),
      own.slice(1),
      `${own}A`,
      `${own}=`,
      `${own} `,
      own.toLowerCase(),
      toCursor(`job_${'0'.repeat(26)}`),
      toCursor(`job_${'Z'.repeat(26)}`),
      toCursor(owner.id),
      toCursor("' or 1=1 --"),
      Buffer.from(idsOf(await list(owner, {})).join()).toString('base64url'),
      'A'.repeat(50_000),
      '\u{1f34e}',
      '__proto__',
    ];
    const answers = await Promise.all(forged.map((after) => app.request(owner, LIST, { first: 1, after })));
    for (const [i, { data, errors }] of answers.entries()) {
      const told = errors.map(({ message, extensions }) => ({ message, extensions }));
      expect({ cursor: forged[i]?.slice(0, 40), data, told }).toEqual({
        cursor: forged[i]?.slice(0, 40),
        data: null,
        told: [{ message: '"after" is not a cursor of this list.', extensions: { code: 'BAD_USER_INPUT' } }],
      });
    }
    expect(idsOf(await list(owner, { after: own }))).toEqual([]);
  });
});
