import { systemClock } from '../../src/kernel/clock.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import type { Connection } from '../../src/platform/db/connect.ts';
import { connect } from '../../src/platform/db/connect.ts';
import type { LocalStore } from '../../src/platform/objects/index.ts';
import { openLocalStore } from '../../src/platform/objects/index.ts';
import { ask } from '../support/platform.ts';
import type { Book } from './clients.ts';
import { checkDatabase } from './database-checks.ts';
import { checkEvents } from './event-checks.ts';
import type { Fleet, Tenant } from './fleet.ts';
import { checkIsolation } from './isolation-checks.ts';
import { checkObjects } from './object-checks.ts';
import type { Twins } from './picture-checks.ts';
import { checkPictures } from './picture-checks.ts';
import type { Violation } from './violation.ts';

export interface Scene {
  readonly fleet: Pick<Fleet, 'adminUrl' | 'objectsDirectory'>;
  readonly origins: readonly string[];
  readonly tenants: readonly Tenant[];
  readonly book: Book;
  readonly twins: readonly Twins[];
}

/** What is left when everything has come to rest. */
export interface Findings {
  readonly violations: readonly Violation[];
  readonly orphans: number;
  readonly compared: number;
  readonly close: number;
  /** By state. */
  readonly jobs: Readonly<Record<string, number>>;
  readonly attempts: number;
  readonly recoveries: number;
}

/** Looks at the database, the stored files and what each tenant is shown. */
export async function inspect({ fleet, origins, tenants, book, twins }: Scene): Promise<Findings> {
  await using admin = await connect({ url: fleet.adminUrl, applicationName: 'darkroom chaos' });
  await using objects = await openObjects(fleet.objectsDirectory);
  const accepted = [...book.accepted.values()];
  const api = `${origins[0]}/graphql`;
  const balances = new Map(
    await Promise.all(
      tenants.map(async ({ tenantId, apiKey }) => [tenantId, await balanceOf({ api, apiKey })] as const),
    ),
  );
  const { orphans, violations } = await checkObjects(admin, objects);
  const pictures = await checkPictures(admin, objects, twins);
  return {
    violations: [
      ...(await checkDatabase(admin, { jobIds: accepted.map(({ id }) => id), balances })),
      ...(await checkEvents(admin, book.heard)),
      ...(await checkIsolation(api, { tenants, accepted })),
      ...violations,
      ...pictures.violations,
    ],
    orphans: orphans.length,
    compared: pictures.compared,
    close: pictures.close,
    ...(await countJobs(admin)),
  };
}

function openObjects(directory: string): Promise<LocalStore> {
  return openLocalStore({
    directory,
    // Nothing is signed here.
    baseUrl: () => '',
    signingKey: systemRandom.bytes(32),
    clock: systemClock,
    random: systemRandom,
  });
}

async function balanceOf(door: { readonly api: string; readonly apiKey: string }): Promise<number> {
  const { viewer } = await ask<{ viewer: { balanceCredits: number } }>(door, '{ viewer { balanceCredits } }');
  return viewer.balanceCredits;
}

async function countJobs(admin: Connection) {
  const rows = await admin.query<{ state: string; jobs: number; attempts: number; recoveries: number }>(
    `select state::text, count(*)::int as jobs, sum(attempts)::int as attempts, sum(recoveries)::int as recoveries
     from job group by state order by state`,
  );
  const sum = (name: 'attempts' | 'recoveries') => rows.reduce((total, row) => total + row[name], 0);
  return {
    jobs: Object.fromEntries(rows.map(({ state, jobs }) => [state, jobs])),
    attempts: sum('attempts'),
    recoveries: sum('recoveries'),
  };
}
