import packageJson from '../package.json' with { type: 'json' };
import { processHost } from './cli/host.ts';
import { createProgram } from './cli/program.ts';

// A fault of ours that nobody caught ends the process (Node's default), and the guardian ends what
// it started: going on in an unknown state could charge or lose what is not ours.
await createProgram(processHost(process.env), packageJson.version).parseAsync();
