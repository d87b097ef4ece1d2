import { expect, it } from 'vitest';
import { FAULT_POINTS } from '../../src/kernel/fault-points.ts';
import { processesIn } from '../support/process-table.ts';
import { createSandbox } from '../support/sandbox.ts';
import { runChaos } from './run-chaos.ts';
import { toText } from './summary.ts';

const SEED = '1';
// What has to be said when it fails, and is worth seeing when it does not.
const say = (text: string) => void process.stderr.write(`chaos: ${text}\n`);

it('no job is lost, charged twice, drawn twice or shown to others while the processes around it die', async () => {
  await using sandbox = await createSandbox();

  const summary = await runChaos({
    seed: SEED,
    jobs: 100,
    minutes: 0,
    hostKills: 0,
    sandbox,
    signal: new AbortController().signal,
    say,
  });

  say(toText(summary).trimEnd());
  expect(summary.violations).toEqual([]);
  expect(summary).toMatchObject({ missed: [], lost: 0, doubleBilled: 0 });
  expect(Object.keys(summary.reached).toSorted()).toEqual(FAULT_POINTS.toSorted());
  expect(summary.jobs).toBeGreaterThanOrEqual(100);
  expect(summary.faults).toBeGreaterThanOrEqual(20);
  expect(summary.compared).toBeGreaterThan(50);
  expect(await processesIn(sandbox.path)).toEqual([]);
});
