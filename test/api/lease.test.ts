import { expect, it } from 'vitest';
import { connectKserve } from '../../src/platform/kserve/index.ts';
import { startApp } from '../support/app.ts';
import { startFaultyNode } from '../support/faulty-node.ts';
import { eventsOf, QUICK, waitForEvent } from '../support/jobs.ts';
import { startPicoNode } from '../support/node.ts';

const STEPS = 150;

it('a job whose lease lapsed under its own dispatcher runs again from the start, once, with one charge', async () => {
  await using stack = new AsyncDisposableStack();
  const real = stack.use(await startPicoNode());
  const behind = stack.use(connectKserve({ address: real.address, callTimeoutMs: 20_000 }));
  const node = stack.use(await startFaultyNode({ behind }));
  let evaluations = 0;
  node.reply = ({ model_name: model, inputs }) => {
    if (model === 'pico.unet_cfg') evaluations += inputs[0]?.shape[0] ?? 0;
    return 'ok';
  };
  // No heartbeat brings the lease back, and none tells the first run that it has become a zombie.
  const never = 3_600_000;
  const dispatcher = { heartbeatMs: never, leaseMs: never };
  const app = stack.use(
    await startApp(
      { nodeAddress: node.address },
      { dispatcher, background: { reapEveryMs: 50, leaseGraceMs: 0 } },
    ),
  );
  const tenant = await app.createTenant();

  const { id } = await tenant.client.submitJob({ ...QUICK, steps: STEPS });
  await waitForEvent(tenant, id, 'STEP');
  await app.sql(`update job set lease_until = now() - interval '1 s' where id = $1`, [id]);
  await waitForEvent(tenant, id, 'REQUEUED');
  const before = evaluations;
  const events = await eventsOf(tenant, id);

  expect(before).toBeLessThan(STEPS);
  // All of its own steps, and of the zombie's none but those that were on their way when it was replaced.
  // `before` may count the first of its own: the news takes a moment.
  expect(evaluations).toBeGreaterThan(STEPS);
  expect(evaluations).toBeLessThan(before + STEPS + (STEPS - before) / 2);
  expect(events.filter((event) => event.type === 'STARTED')).toHaveLength(2);
  expect(events.filter((event) => event.type === 'COMPLETED')).toHaveLength(1);
  const rows = await app.sql('select state, recoveries, attempts from job where id = $1', [id]);
  expect(rows).toEqual([{ state: 'SUCCEEDED', recoveries: 1, attempts: 0 }]);
  const ledger = await app.sql('select credits from usage_entry where job_id = $1', [id]);
  expect(ledger).toEqual([{ credits: -STEPS }]);
});
