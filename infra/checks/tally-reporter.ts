import { writeFileSync } from 'node:fs';
import type { Reporter, TestCase, TestModule } from 'vitest/node';
import type { Skip } from './outcome.ts';

/** Name of the environment variable that says where the tally is written. */
export const TALLY_FILE = 'DARKROOM_TALLY_FILE';

export interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: readonly Skip[];
}

/**
 * Counts a run for the report over all suites. vitest's own JSON report does not carry the reason
 * of a skip, nor count a file that could not be loaded or whose `beforeAll` failed: its tests are
 * only "skipped" there.
 */
export default class TallyReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const path = process.env[TALLY_FILE];
    if (path === undefined) return;
    const files = modules.map(tallyOf);
    const tally: Tally = {
      passed: files.reduce((sum, file) => sum + file.passed, 0),
      failed: files.reduce((sum, file) => sum + file.failed, unhandledErrors.length),
      skipped: files.flatMap((file) => file.skipped),
    };
    writeFileSync(path, JSON.stringify(tally));
  }
}

function tallyOf(module: TestModule): Tally {
  const tests = [...module.children.allTests()];
  const failed = tests.filter((test) => test.result().state === 'failed').length;
  const isBroken = module.state() === 'failed' && failed === 0;
  return {
    passed: tests.filter((test) => test.result().state === 'passed').length,
    failed: isBroken ? 1 : failed,
    // Those of a broken file would have run: the failure says it all.
    skipped: isBroken ? [] : tests.flatMap(skipOf),
  };
}

function skipOf(test: TestCase): Skip[] {
  const result = test.result();
  if (result.state === 'passed' || result.state === 'failed') return [];
  const reason = result.state === 'skipped' ? result.note : 'it did not come to an end';
  return [{ test: test.fullName, reason: reason ?? 'the test gives no reason' }];
}
