import { execFile, spawnSync } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { isCi } from './ci.ts';

const ROOT = join(import.meta.dirname, '../..');
const PYTHON = join(ROOT, '.venv-export/bin/python');

/** A Python package of this repository that has tests and linters of its own. */
export interface PythonPackage {
  /** From the root of the repository. */
  readonly folder: string;
  readonly module: string;
  /** Python that succeeds when everything that the tests need is installed. */
  readonly probe: string;
  /** How to install it. */
  readonly install: string;
  /** What each file below `tests` protects. */
  readonly guarantees: Readonly<Record<string, string>>;
}

/**
 * Runs the linters of a package, and its tests in one process, with a test for each of their files. Skips them, with
 * the reason, where it is not installed.
 */
export function describePythonPackage(name: string, suite: PythonPackage): void {
  const isInstalled = spawnSync(PYTHON, ['-c', suite.probe], { cwd: join(ROOT, suite.folder) }).status === 0;
  const reason = `skipped: ${name} is not installed. Make it with: ${suite.install}`;
  if (!isInstalled) process.stderr.write(`${reason}\n`);

  const rules: Readonly<Record<string, readonly string[]>> = {
    lint: ['ruff', 'check', '--no-cache', '.'],
    format: ['ruff', 'format', '--no-cache', '--check', '.'],
    types: ['mypy', '--cache-dir=/dev/null', suite.module],
  };
  const tests = Object.entries(suite.guarantees).map(([file, text]) => [text, file] as const);
  let report: Promise<string> | undefined;

  describe(`${name}`, () => {
    it('has a guarantee for each of its test files', async () => {
      const files = await readdir(join(ROOT, suite.folder, 'tests'));
      const testFiles = files.filter((file) => file.startsWith('test_'));
      expect(testFiles.toSorted()).toEqual(Object.keys(suite.guarantees).toSorted());
    });

    it.skipIf(!isInstalled && !isCi).for(Object.entries(rules))(
      'keeps the rules of its language: %s',
      async ([, args], { signal }) => {
        if (!isInstalled) expect.unreachable(reason);
        await expect(runModule(suite, args, signal)).resolves.toBeTypeOf('string');
      },
    );

    // The first of them waits for all: torch takes seconds to import, and what the files share is made once.
    it.skipIf(!isInstalled && !isCi).for(tests)('%s', async ([, file], { signal }) => {
      if (!isInstalled) expect.unreachable(reason);
      report ??= reportOfTests(suite, signal);
      expectGreen(file, await report);
    });
  });
}

/** What pytest prints of all tests, whether they pass or not; its last lines name each with its result. */
async function reportOfTests(suite: PythonPackage, signal: AbortSignal): Promise<string> {
  try {
    const options = ['-rpfE', '--color=no', '--continue-on-collection-errors'];
    return await runModule(suite, ['pytest', ...options, 'tests'], signal);
  } catch (error) {
    return String(error);
  }
}

/** A file that pytest did not come to is no better than one that fails. */
function expectGreen(file: string, report: string): void {
  const resultsOf = (word: string) =>
    report.split('\n').filter((line) => line.startsWith(`${word} tests/${file}`));
  const isGreen =
    resultsOf('PASSED').length > 0 && resultsOf('FAILED').length + resultsOf('ERROR').length === 0;
  if (!isGreen) expect.unreachable(report);
}

/** Runs a Python module in the package's folder. Returns what it prints, and rejects with it when it fails. */
async function runModule(
  suite: PythonPackage,
  args: readonly string[],
  signal: AbortSignal,
): Promise<string> {
  try {
    const options = { cwd: join(ROOT, suite.folder), signal, maxBuffer: 1e8 };
    const { stdout } = await promisify(execFile)(PYTHON, ['-B', '-m', ...args], options);
    return stdout;
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`python -m ${args.join(' ')}\n${stdout}${stderr}`, { cause: error });
  }
}
