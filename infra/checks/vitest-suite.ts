import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Outcome } from './outcome.ts';
import type { ToolResult } from './run-tool.ts';
import { runTool } from './run-tool.ts';
import type { Tally } from './tally-reporter.ts';
import { TALLY_FILE } from './tally-reporter.ts';

/**
 * Runs one project of vitest.config.ts and counts it. With `show` its report is seen as it comes,
 * else it is in the outcome. A run that ends without a tally, or badly with none failed, counts as
 * one failure.
 */
export async function runSuite(project: string, show: boolean, signal: AbortSignal): Promise<Outcome> {
  const folder = await mkdtemp(join(tmpdir(), 'darkroom-tally-'));
  try {
    const path = join(folder, 'tally.json');
    const result = await runTool(
      {
        script: 'vitest/vitest.mjs',
        args: [
          'run',
          '--project',
          project,
          '--reporter=default',
          '--reporter=infra/checks/tally-reporter.ts',
        ],
        env: { [TALLY_FILE]: path },
        show,
      },
      signal,
    );
    return toOutcome(project, result, await readTally(path));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function toOutcome(suite: string, result: ToolResult, tally: Tally): Outcome {
  const { output, elapsedMs } = result;
  const failed = result.ok ? tally.failed : Math.max(1, tally.failed);
  return { suite, passed: tally.passed, failed, skipped: tally.skipped, elapsedMs, output };
}

async function readTally(path: string): Promise<Tally> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Tally;
  } catch {
    return { passed: 0, failed: 1, skipped: [] };
  }
}
