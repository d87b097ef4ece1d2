import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DarkroomError, DarkroomUserErrors } from '../../src/client/index.ts';
import type { TestApp, TestTenant } from '../support/app.ts';
import { startApp } from '../support/app.ts';
import { eventsOf, QUICK } from '../support/jobs.ts';

const MISSING = `job_${'0'.repeat(26)}`;

let app: TestApp;
let owner: TestTenant;
let stranger: TestTenant;
let jobId: string;

beforeAll(async () => {
  app = await startApp();
  owner = await app.createTenant();
  stranger = await app.createTenant();
  jobId = (await owner.client.submitJob(QUICK)).id;
});

afterAll(() => app[Symbol.asyncDispose]());

/** What somebody is told, with the id that they asked for taken out. */
async function told(work: Promise<unknown>): Promise<unknown> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof DarkroomUserErrors) return error.errors;
    if (error instanceof DarkroomError) return { code: error.code, message: error.message };
    throw error;
  }
}

describe("another tenant's job", () => {
  it.each<[string, (id: string) => Promise<unknown>]>([
    ['job', (id) => stranger.client.job(id)],
    ['jobCancel', (id) => stranger.client.cancelJob(id)],
    ['jobEvents', (id) => eventsOf(stranger, id)],
    ['jobEvents from a number on', (id) => eventsOf(stranger, id, { after: 1 })],
  ])('is answered by %s exactly as one that does not exist', async (_, ask) => {
    expect(await told(ask(jobId))).toEqual(await told(ask(MISSING)));
    expect(await told(ask(jobId))).toEqual(await told(ask('nonsense')));
    expect((await owner.client.job(jobId))?.state).toBe('QUEUED');
  });

  it('is in no list, and its cursor is no cursor', async () => {
    const query =
      'query ($after: String) { jobs(first: 1, after: $after) { nodes { id } pageInfo { endCursor } } }';
    const { data } = await app.request(owner, query);
    const own = data as unknown as { jobs: { pageInfo: { endCursor: string } } };
    expect((await app.request(stranger, query)).data).toEqual({
      jobs: { nodes: [], pageInfo: { endCursor: null } },
    });
    const foreign = await app.request(stranger, query, { after: own.jobs.pageInfo.endCursor });
    const forged = await app.request(stranger, query, { after: 'Zm9yZ2Vk' });
    expect(foreign.errors[0]?.extensions['code']).toBe('BAD_USER_INPUT');
    expect(foreign.errors).toMatchObject(forged.errors.map(({ message }) => ({ message })));
  });
});

describe('keys', () => {
  const probe = async (apiKey: string) => app.request({ ...owner, apiKey }, '{ viewer { tenant { id } } }');

  it('open the doors of their own tenant', async () => {
    expect((await probe(stranger.apiKey)).data).toEqual({ viewer: { tenant: { id: stranger.id } } });
  });

  it.each([
    ['none', () => app.request(null, '{ viewer { tenant { id } } }')],
    [
      'one with a character changed',
      () => probe(owner.apiKey.slice(0, -1) + (owner.apiKey.endsWith('a') ? 'b' : 'a')),
    ],
    ['one that was never issued', async () => probe(await neverIssued())],
    ['nonsense', () => probe('x')],
  ])('are needed: %s is UNAUTHENTICATED with HTTP 401', async (_, ask) => {
    const { status, data, errors } = await ask();
    expect({ status, data }).toEqual({ status: 401, data: null });
    expect(errors[0]?.extensions['code']).toBe('UNAUTHENTICATED');
  });

  it('end when they are revoked or expire, and with their tenant', async () => {
    const tenant = await app.createTenant();
    const codeOf = async () => (await probe(tenant.apiKey)).errors[0]?.extensions['code'];
    expect(await codeOf()).toBeUndefined();
    await app.sql("update api_key set expires_at = now() - interval '1 s' where tenant_id = $1", [tenant.id]);
    expect(await codeOf()).toBe('UNAUTHENTICATED');
    await app.sql('update api_key set expires_at = null, revoked_at = now() where tenant_id = $1', [
      tenant.id,
    ]);
    expect(await codeOf()).toBe('UNAUTHENTICATED');
    await app.sql('update api_key set revoked_at = null where tenant_id = $1', [tenant.id]);
    await app.sql("update tenant set state = 'SUSPENDED' where id = $1", [tenant.id]);
    expect(await codeOf()).toBe('FORBIDDEN');
  });

  it('do only what their scopes say', async () => {
    const { text } = await app.onboarding.issueKey(owner.id, {
      name: 'reader',
      environment: 'LIVE',
      permissions: ['JOBS_READ'],
    });
    const reader = { ...owner, apiKey: text };
    expect((await app.request(reader, '{ jobs { nodes { id } } }')).data).toEqual({
      jobs: { nodes: [{ id: jobId }] },
    });
    const refused = await app.request(
      reader,
      'mutation { jobSubmit(input: { prompt: "x" }) { job { id } } }',
    );
    expect(refused.errors[0]?.extensions['code']).toBe('FORBIDDEN');
    expect((await app.request(reader, '{ viewer { tenant { id } } }')).errors[0]?.extensions['code']).toBe(
      'FORBIDDEN',
    );
  });
});

/** A key of the right form and checksum that no tenant has. */
async function neverIssued(): Promise<string> {
  const { createKeyText } = await import('../../src/domains/tenancy/index.ts');
  const { systemRandom } = await import('../../src/kernel/random.ts');
  return createKeyText('LIVE', systemRandom);
}
