import { expect, it } from 'vitest';
import { startApp } from '../support/app.ts';
import { QUICK } from '../support/jobs.ts';

const INT_MAX = 2 ** 31 - 1;

it('a balance beyond an Int is told exactly, and charged', async () => {
  await using app = await startApp();
  const tenant = await app.createTenant({ credits: INT_MAX });
  for (const id of ['usg_a', 'usg_b']) {
    await app.sql(
      `insert into usage_entry (tenant_id, id, kind, credits, note) values ($1, $2, 'GRANT', $3, 'more')`,
      [tenant.id, id, INT_MAX],
    );
  }
  expect(await tenant.client.viewer()).toMatchObject({ balanceCredits: 3 * INT_MAX });
  const { credits } = await tenant.client.submitJob(QUICK);
  expect(credits).toBeGreaterThan(0);
  expect(await tenant.client.viewer()).toMatchObject({ balanceCredits: 3 * INT_MAX - credits });
});
