// The door to every command on a machine that has only Node and npm: see bootstrap/main.mjs. This
// file alone is parsed by any Node, so that an old one gets a sentence and not a syntax error.
const [major] = process.versions.node.split('.');

if (Number(major) < 20) {
  process.stderr.write(
    `darkroom: this is Node ${process.versions.node}; Node 20 or newer is needed to set up the rest. Get it from https://nodejs.org.\n`,
  );
  process.exitCode = 1;
} else {
  import('./bootstrap/main.mjs').then(({ main }) => main(process.argv.slice(2)));
}
