import { ask } from '../support/platform.ts';
import type { Tenant } from './fleet.ts';
import type { Violation } from './violation.ts';

export interface Owned {
  readonly id: string;
  readonly tenantId: string;
}

const PAGE = `query ($after: String) {
  jobs(first: 100, after: $after) { nodes { id } pageInfo { hasNextPage endCursor } }
}`;
const JOB = 'query ($id: ID!) { job(id: $id) { id } }';
const CANCEL = 'mutation ($id: ID!) { jobCancel(input: { jobId: $id }) { job { id } userErrors { code } } }';
// Of the jobs of others, how many each tenant reaches for by their ids.
const REACHED_FOR = 10;

interface Page {
  readonly jobs: {
    readonly nodes: readonly { readonly id: string }[];
    readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
  };
}

/** What is wrong with what each tenant's key gets to see: its own jobs, all of them and no others. */
export async function checkIsolation(
  api: string,
  { tenants, accepted }: { readonly tenants: readonly Tenant[]; readonly accepted: readonly Owned[] },
): Promise<readonly Violation[]> {
  const found = await Promise.all(
    tenants.map(async ({ tenantId, apiKey }) => {
      const door = { api, apiKey };
      const own = accepted.filter((job) => job.tenantId === tenantId).map(({ id }) => id);
      const others = accepted.filter((job) => job.tenantId !== tenantId).map(({ id }) => id);
      return [
        ...compareListing(tenantId, { own, listed: await listJobs(door) }),
        ...(await reachFor(door, tenantId, others.slice(-REACHED_FOR))),
      ];
    }),
  );
  return found.flat();
}

/** Both ways: what is listed and not its own, and what is its own and not listed. */
export function compareListing(
  subject: string,
  { own, listed }: { readonly own: readonly string[]; readonly listed: readonly string[] },
): readonly Violation[] {
  const foreign = listed.filter((id) => !own.includes(id));
  const missing = own.filter((id) => !listed.includes(id));
  const of = (what: string) => ({ invariant: 'isolation' as const, subject, what });
  return [
    ...foreign.map((id) => of(`is shown ${id}, which is not its own`)),
    ...missing.map((id) => of(`is not shown its own ${id}`)),
    ...(listed.length > new Set(listed).size ? [of('is shown a job twice')] : []),
  ];
}

async function listJobs(door: { api: string; apiKey: string }): Promise<readonly string[]> {
  const ids: string[] = [];
  for (let after: string | null = null; ;) {
    const { jobs }: Page = await ask<Page>(door, PAGE, { after });
    ids.push(...jobs.nodes.map(({ id }) => id));
    if (!jobs.pageInfo.hasNextPage) return ids;
    after = jobs.pageInfo.endCursor;
  }
}

async function reachFor(
  door: { api: string; apiKey: string },
  subject: string,
  ids: readonly string[],
): Promise<readonly Violation[]> {
  const violations: Violation[] = [];
  for (const id of ids) {
    const { job } = await ask<{ job: object | null }>(door, JOB, { id });
    if (job !== null) violations.push({ invariant: 'isolation', subject, what: `may read ${id} of another` });
    const { jobCancel } = await ask<{ jobCancel: { job: object | null } }>(door, CANCEL, { id });
    if (jobCancel.job !== null) {
      violations.push({ invariant: 'isolation', subject, what: `may cancel ${id} of another` });
    }
  }
  return violations;
}
