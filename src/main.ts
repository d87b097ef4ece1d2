import packageJson from '../package.json' with { type: 'json' };
import { processHost } from './cli/host.ts';
import { createProgram } from './cli/program.ts';

await createProgram(processHost(process.env), packageJson.version).parseAsync();
