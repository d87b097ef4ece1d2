import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Outcome } from './outcome.ts';
import { countsOf, isGreen, reportOf } from './outcome.ts';
import { printOutcome } from './print-outcome.ts';
import { ROOT } from './run-tool.ts';
import { runStaticChecks } from './static-checks.ts';
import { untilSignal } from './until-signal.ts';
import { runSuite } from './vitest-suite.ts';

// Two lanes, for two cores. The first goes from the narrow to the broad and is seen as it goes; the
// processes of the second wait for each other most of the time.
const SHOWN = ['parity', 'engines', 'api', 'train'];
const BESIDE = ['e2e', 'chaos', 'db', 'export'];

async function runInTurn(suites: readonly string[], show: boolean, signal: AbortSignal): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const suite of suites.filter((name) => existsSync(join(ROOT, 'test', name)))) {
    if (show) process.stdout.write(`\n${suite}\n`);
    outcomes.push(await runSuite(suite, show, signal));
  }
  return outcomes;
}

function summarise(outcomes: readonly Outcome[], isCi: boolean): void {
  process.stdout.write(`\n${outcomes.map(reportOf).join('\n')}\n`);
  if (isCi && outcomes.some(({ skipped }) => skipped.length > 0)) {
    process.stdout.write(
      'A skipped test is a failure when CI=true: the reasons above say what is missing.\n',
    );
  }
  process.stdout.write(`${countsOf(outcomes)}\n`);
}

await untilSignal(async (signal) => {
  const isCi = process.env['CI'] === 'true';
  const outcomes = await runStaticChecks(printOutcome, signal);
  const lanes = await Promise.all([runInTurn(SHOWN, true, signal), runInTurn(BESIDE, false, signal)]);
  process.stdout.write('\n');
  lanes[1].forEach(printOutcome);
  outcomes.push(...lanes.flat());
  summarise(outcomes, isCi);
  return isGreen(outcomes, isCi);
});
