const NODE_MAJOR = 24;

/**
 * The Node that runs the program: the one from `node_modules`, whose version is ours, else the
 * running one if it is new enough.
 *
 * @param {{ readonly vendored: string, readonly exists: (path: string) => boolean,
 *   readonly running: { readonly path: string, readonly version: string } }} found
 * @returns {string}
 */
export function chooseNode({ vendored, exists, running }) {
  if (exists(vendored)) return vendored;
  if (Number(running.version.split('.')[0]) >= NODE_MAJOR) return running.path;
  throw new Error(
    `npm has no Node ${NODE_MAJOR} for this platform and the one running is ${running.version}. ` +
      `Install Node ${NODE_MAJOR} or newer from https://nodejs.org and start again.`,
  );
}

/**
 * How to call npm: the one that called us, run by the running Node, else the one on the path.
 * Ours is preferred because `npm` on a path that begins with `node_modules/.bin` would run on a
 * Node that the installation is about to replace.
 *
 * @param {Readonly<Record<string, string | undefined>>} env
 * @returns {[string, ...string[]]}
 */
export function npmCommand({ npm_execpath: script }) {
  return script?.endsWith('npm-cli.js') ? [process.execPath, script] : ['npm'];
}
