import { describe, expect, it } from 'vitest';
import { commandOf } from './commands.mjs';

describe('a command line of the bootstrap', () => {
  it('reaches the program as it is, empty and odd arguments included', () => {
    for (const argv of [[], ['--help'], ['demo', '', '--seed', '7'], ['toString'], ['generate', 'setup']]) {
      expect(commandOf(argv)).toEqual({ entry: 'src/main.ts', args: argv });
    }
  });

  it('runs the checks and suites of the repository, and nothing after setup', () => {
    expect(commandOf(['check'])).toEqual({ entry: 'infra/checks/check.ts', args: [] });
    expect(commandOf(['test'])).toEqual({ entry: 'infra/checks/test.ts', args: [] });
    expect(commandOf(['bench', 'serve'])).toEqual({ entry: 'test/bench/main.ts', args: ['serve'] });
    expect(commandOf(['chaos', '--seed', '7'])).toEqual({
      entry: 'test/chaos/main.ts',
      args: ['--seed', '7'],
    });
    expect(commandOf(['setup'])).toBeNull();
  });
});
