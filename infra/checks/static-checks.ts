import type { Outcome } from './outcome.ts';
import type { Tool } from './run-tool.ts';
import { runTool } from './run-tool.ts';
import { runSuite } from './vitest-suite.ts';

const TOOLS: Readonly<Record<string, Tool>> = {
  types: { script: 'typescript/bin/tsc', args: ['--project', '.', '--pretty', 'false'] },
  format: {
    script: 'prettier/bin/prettier.cjs',
    args: [
      '--check',
      '.',
      '--log-level=warn',
      '--cache',
      '--cache-location=.cache/prettier',
      '--cache-strategy=content',
    ],
  },
  unused: { script: 'knip/bin/knip.js', args: ['--no-progress'] },
  architecture: {
    script: 'dependency-cruiser/bin/dependency-cruiser.mjs',
    args: ['--config', 'infra/dependency-cruiser.mjs', 'src'],
  },
  schema: { script: 'eslint/bin/eslint.js', args: ['--max-warnings=0', 'schema.graphql'] },
  lint: { script: 'oxlint/bin/oxlint', args: ['--deny-warnings', '--format=unix'] },
};

// Two, whatever the machine has: the longest of them, types and unit tests, decide how long it
// takes, and they use a core each.
const AT_ONCE = 2;

type Check = () => Promise<Outcome>;

/**
 * Everything that can be said about the code in under a minute: types, lint, directions, SDL,
 * unused code, format and unit tests. Calls `onDone` with each outcome as it comes.
 */
export async function runStaticChecks(
  onDone: (outcome: Outcome) => void,
  signal: AbortSignal,
): Promise<Outcome[]> {
  const waiting: Check[] = [() => runSuite('unit', false, signal)];
  for (const [name, tool] of Object.entries(TOOLS)) waiting.push(() => runCheck(name, tool, signal));
  const outcomes: Outcome[] = [];
  const worker = async () => {
    for (let check = waiting.shift(); check !== undefined; check = waiting.shift()) {
      const outcome = await check();
      outcomes.push(outcome);
      onDone(outcome);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return outcomes;
}

async function runCheck(suite: string, tool: Tool, signal: AbortSignal): Promise<Outcome> {
  const { ok, output, elapsedMs } = await runTool(tool, signal);
  return { suite, passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: [], elapsedMs, output };
}
