import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Outcome } from './outcome.ts';
import { countsOf, isGreen, reportOf } from './outcome.ts';
import { printOutcome } from './print-outcome.ts';
import { ROOT } from './run-tool.ts';
import { runStaticChecks } from './static-checks.ts';
import { untilSignal } from './until-signal.ts';
import { runSuite } from './vitest-suite.ts';

// From the narrow to the broad, one after another: each starts servers and measures nothing, but
// its time limits assume that the machine is its own.
const SUITES = ['parity', 'engines', 'db', 'api', 'e2e'];

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
  for (const suite of SUITES.filter((name) => existsSync(join(ROOT, 'test', name)))) {
    process.stdout.write(`\n${suite}\n`);
    outcomes.push(await runSuite(suite, true, signal));
  }
  summarise(outcomes, isCi);
  return isGreen(outcomes, isCi);
});
