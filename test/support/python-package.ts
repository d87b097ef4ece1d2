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

/** Runs the linters and each test file of a package as one test. Skips them, with the reason, where it is not installed. */
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
        await expect(runModule(suite, args, signal)).resolves.toBeUndefined();
      },
    );

    it.skipIf(!isInstalled && !isCi).for(tests)('%s', async ([, file], { signal }) => {
      if (!isInstalled) expect.unreachable(reason);
      await expect(runModule(suite, ['pytest', join('tests', file)], signal)).resolves.toBeUndefined();
    });
  });
}

/** Runs a Python module in the package's folder. Rejects with everything that it printed. */
async function runModule(suite: PythonPackage, args: readonly string[], signal: AbortSignal): Promise<void> {
  try {
    const options = { cwd: join(ROOT, suite.folder), signal, maxBuffer: 1e8 };
    await promisify(execFile)(PYTHON, ['-B', '-m', ...args], options);
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`python -m ${args.join(' ')}\n${stdout}${stderr}`, { cause: error });
  }
}
