import { expect, it } from 'vitest';
import { startApp } from '../support/app.ts';
import { eventsOf, QUICK, waitForEvent } from '../support/jobs.ts';
import { startPicoNode } from '../support/node.ts';

it('a job whose lease lapsed under its own dispatcher runs again from the start, once, with one charge', async () => {
  await using stack = new AsyncDisposableStack();
  const node = stack.use(await startPicoNode());
  // No heartbeat brings the lease back, and none tells the first run that it has become a zombie.
  const never = 3_600_000;
  const dispatcher = { heartbeatMs: never, leaseMs: never };
  const app = stack.use(await startApp({ nodeAddress: node.address }, { dispatcher }));
  const tenant = await app.createTenant();

  const { id } = await tenant.client.submitJob({ ...QUICK, steps: 60 });
  await waitForEvent(tenant, id, 'STEP');
  await app.sql(`update job set lease_until = now() - interval '1 s' where id = $1`, [id]);
  const events = await eventsOf(tenant, id);

  expect(events.filter((event) => event.type === 'STARTED')).toHaveLength(2);
  expect(events.filter((event) => event.type === 'COMPLETED')).toHaveLength(1);
  const rows = await app.sql('select state, recoveries, attempts from job where id = $1', [id]);
  expect(rows).toEqual([{ state: 'SUCCEEDED', recoveries: 1, attempts: 0 }]);
  const ledger = await app.sql('select credits from usage_entry where job_id = $1', [id]);
  expect(ledger).toEqual([{ credits: -60 }]);
});
