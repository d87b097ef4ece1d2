import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestApp, TestTenant } from '../support/app.ts';
import { startApp } from '../support/app.ts';
import { createDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { greet } from '../support/doors.ts';
import { runOnDatabase } from '../support/database-command.ts';
import { QUICK } from '../support/jobs.ts';

interface Listed {
  readonly keyId: string;
  readonly tenantId: string;
  readonly revokedAt: string | null;
  readonly lastJobAt: string | null;
}

const stack = new AsyncDisposableStack();
let database: TestDatabase;
let app: TestApp;
let tenant: TestTenant;
let other: TestTenant;

beforeAll(async () => {
  database = stack.use(await createDatabase());
  app = stack.use(await startApp({ database }));
  tenant = await app.createTenant();
  other = await app.createTenant();
});

afterAll(() => stack.disposeAsync());

/** `darkroom key …` on the platform's database. */
const key = (...args: readonly string[]) => runOnDatabase(database, ['key', ...args]);

async function listOf({ id }: TestTenant): Promise<readonly Listed[]> {
  return JSON.parse((await key('list', '--tenant', id, '--json')).out) as Listed[];
}

describe('key list', () => {
  it('tells all of a key but what opens a door', async () => {
    await tenant.client.submitJob(QUICK);

    const all = await key('list', '--json');
    const [own] = await listOf(tenant);

    expect(own).toEqual({
      keyId: expect.stringMatching(/^key_/),
      tenantId: tenant.id,
      name: 'test',
      key: `${tenant.apiKey.slice(0, 12)}…${tenant.apiKey.slice(-4)}`,
      environment: 'LIVE',
      scopes: expect.arrayContaining(['JOBS_READ', 'JOBS_WRITE']),
      createdAt: expect.stringMatching(/Z$/),
      expiresAt: null,
      revokedAt: null,
      lastJobAt: expect.stringMatching(/Z$/),
    });
    const ids = (JSON.parse(all.out) as Listed[]).map(({ tenantId }) => tenantId);
    expect(ids).toEqual(expect.arrayContaining([tenant.id, other.id]));
    const text = (await key('list')).out;
    expect(text).toMatch(new RegExp(`^${own?.keyId}  ${tenant.id} .* LIVE +in force `, 'm'));
    expect(`${all.out}${text}`).not.toContain(tenant.apiKey.slice(0, 14));
  });

  it('shows the keys of a tenant to nobody who asks for another, and knows no tenant that is none', async () => {
    expect((await listOf(other)).map(({ tenantId }) => tenantId)).toEqual([other.id]);
    expect(await key('list', '--tenant', `ten_${'7'.repeat(26)}`)).toMatchObject({
      code: 1,
      out: '',
      err: expect.stringMatching(/^There is no tenant ten_7/),
    });
  });
});

describe('key revoke', () => {
  it('ends that key alone, for requests at once and for open sockets with 4403, and changes nothing the second time', async () => {
    const codeOf = async (asked: TestTenant) =>
      (await app.request(asked, '{ viewer { tenant { id } } }')).errors[0]?.extensions['code'];
    await using socket = await greet(app.app.api.wsUrl, `Bearer ${tenant.apiKey}`);
    const [own] = await listOf(tenant);
    const id = own?.keyId ?? '';

    expect(await key('revoke', id)).toEqual({ code: 0, out: `${id} is revoked.\n`, err: '' });

    expect(await codeOf(tenant)).toBe('UNAUTHENTICATED');
    expect(await codeOf(other)).toBeUndefined();
    expect(await socket.closed).toBe(4403);
    const [revoked] = await listOf(tenant);
    const again = await key('revoke', id);
    expect(again).toEqual({
      code: 0,
      out: `${id} was revoked already, at ${revoked?.revokedAt}.\n`,
      err: '',
    });
    expect(await listOf(tenant)).toEqual([revoked]);
    expect((await key('list', '--tenant', tenant.id)).out).toMatch(/ revoked \d{4}-\d\d-\d\d /);
  });

  it('says so when there is no such key', async () => {
    const id = `key_${'7'.repeat(26)}`;
    expect(await key('revoke', id)).toEqual({ code: 1, out: '', err: `There is no key ${id}.\n` });
  });
});
