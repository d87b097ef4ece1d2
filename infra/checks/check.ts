import { countsOf, isGreen } from './outcome.ts';
import { printOutcome } from './print-outcome.ts';
import { runStaticChecks } from './static-checks.ts';
import { untilSignal } from './until-signal.ts';

await untilSignal(async (signal) => {
  const outcomes = await runStaticChecks(printOutcome, signal);
  process.stdout.write(`${countsOf(outcomes)}\n`);
  return isGreen(outcomes, process.env['CI'] === 'true');
});
