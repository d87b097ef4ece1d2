import type { Audit, AuditResult } from 'graphql-http';
import { serverAudits } from 'graphql-http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestApp, TestTenant } from '../support/app.ts';
import { startApp } from '../support/app.ts';

// The audits that the authors of the GraphQL over HTTP specification keep, against the running
// server. Some of them ask for `__type`, so this server tells its schema.

let app: TestApp;
let tenant: TestTenant;
const results: AuditResult[] = [];

beforeAll(async () => {
  app = await startApp({ introspection: true });
  tenant = await app.createTenant();
});

afterAll(() => app[Symbol.asyncDispose]());

const audits: readonly Audit[] = serverAudits({
  url: () => app.api,
  fetchFn: (url: string, init: RequestInit = {}) =>
    fetch(url, {
      ...init,
      headers: {
        ...(init.headers as Record<string, string>),
        authorization: `Bearer ${tenant.apiKey}`,
        // Without it a GET could come from any page that a browser shows: refused, see doors.test.ts.
        'apollo-require-preflight': '1',
      },
    }),
});

/**
 * The specification advises to answer an impossible document with 200 where a client asks for
 * `application/json` and nothing newer. This API answers 400, whatever the client asks for: a proxy,
 * a log or a retry rule that sees the status alone would take the refusal for a success.
 */
const AGAINST_ADVICE: ReadonlySet<string> = new Set(['572B', 'FDE2', '7B9B']);

describe('GraphQL over HTTP as specified', () => {
  it.each(audits.map((audit) => [audit.name, audit] as const))('%s', async (_name, { id, fn }) => {
    const result = await fn();
    results.push(result);
    const told =
      result.status === 'ok' ? null : { reason: result.reason, body: await bodyOf(result.response) };
    expect(result.status, JSON.stringify(told)).toBe(AGAINST_ADVICE.has(id) ? 'warn' : 'ok');
  });

  it('in all: no error', () => {
    const counted = (status: AuditResult['status']) =>
      results.filter((each) => each.status === status).length;
    process.stdout.write(
      `audits: ${counted('ok')} ok, ${counted('error')} errors, ${counted('warn')} warnings\n`,
    );
    expect(results).toHaveLength(audits.length);
    expect(counted('error')).toBe(0);
    expect(counted('warn')).toBe(AGAINST_ADVICE.size);
  });
});

async function bodyOf(response: Response): Promise<string> {
  return response.bodyUsed ? '' : response.text();
}
