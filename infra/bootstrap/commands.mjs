/** Commands of the repository; every other one is the program's own. */
const SCRIPTS = /** @type {Readonly<Record<string, string>>} */ ({
  check: 'infra/checks/check.ts',
  test: 'infra/checks/test.ts',
  bench: 'test/bench/main.ts',
  chaos: 'test/chaos/main.ts',
  sheets: 'infra/sheets/main.ts',
});

/**
 * Which file to run with which arguments, or null for `setup`, after which there is nothing to run.
 * The program gets its arguments as they are: an empty one is a value like any other.
 *
 * @param {readonly string[]} argv
 * @returns {{ readonly entry: string, readonly args: readonly string[] } | null}
 */
export function commandOf(argv) {
  const [command = '', ...rest] = argv;
  if (command === 'setup') return null;
  const script = Object.hasOwn(SCRIPTS, command) ? SCRIPTS[command] : undefined;
  return script === undefined ? { entry: 'src/main.ts', args: argv } : { entry: script, args: rest };
}
