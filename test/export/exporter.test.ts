import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { isCi } from '../support/ci.ts';

const ROOT = join(import.meta.dirname, '../..');
const PACKAGE = join(ROOT, 'deploy/engines/export');
const PYTHON = join(ROOT, '.venv-export/bin/python');
const isInstalled = existsSync(PYTHON);
const REASON =
  'skipped: the exporter is not installed. Make it with: python3 -m venv .venv-export && ' +
  '.venv-export/bin/pip install -r deploy/engines/export/requirements-dev.txt';

if (!isInstalled) process.stderr.write(`${REASON}\n`);

/** What each file below `tests` protects. */
const GUARANTEES: Readonly<Record<string, string>> = {
  'test_checks.py': 'leaves no parameter and nothing that an engine refuses inside any committed graph',
  'test_engines.py': "writes graphs that NVIDIA's compiler takes, and knows what it refuses",
  'test_export.py': 'makes a bundle of a Stable Diffusion folder, or says what stands in the way',
  'test_externalise.py': 'points every parameter at the safetensors file, by name and by value',
  'test_pico.py': 'makes the committed bundles of their own folders, byte for byte',
  'test_tidy.py': 'rewrites what TensorRT cannot read and changes no number',
};

const RULES: Readonly<Record<string, readonly string[]>> = {
  lint: ['ruff', 'check', '--no-cache', '.'],
  format: ['ruff', 'format', '--no-cache', '--check', '.'],
  types: ['mypy', '--cache-dir=/dev/null', 'darkroom_export'],
};

/** Runs a Python module in the package's folder. Rejects with everything that it printed. */
async function runModule(args: readonly string[], signal: AbortSignal): Promise<void> {
  try {
    await promisify(execFile)(PYTHON, ['-B', '-m', ...args], { cwd: PACKAGE, signal, maxBuffer: 1e8 });
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`python -m ${args.join(' ')}\n${stdout}${stderr}`, { cause: error });
  }
}

describe('the exporter', () => {
  it('has a guarantee for each of its test files', async () => {
    const files = await readdir(join(PACKAGE, 'tests'));
    expect(files.filter((file) => file.startsWith('test_')).toSorted()).toEqual(Object.keys(GUARANTEES));
  });

  it.skipIf(!isInstalled && !isCi).for(Object.entries(RULES))(
    'keeps the rules of its language: %s',
    async ([, args], { signal }) => {
      if (!isInstalled) expect.unreachable(REASON);
      await expect(runModule(args, signal)).resolves.toBeUndefined();
    },
  );

  it
    .skipIf(!isInstalled && !isCi)
    .for(Object.entries(GUARANTEES).map(([file, text]) => [text, file] as const))(
    '%s',
    async ([, file], { signal }) => {
      if (!isInstalled) expect.unreachable(REASON);
      await expect(runModule(['pytest', join('tests', file)], signal)).resolves.toBeUndefined();
    },
  );
});
