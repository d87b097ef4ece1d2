import packageJson from '../package.json' with { type: 'json' };
import { processHost } from './cli/process-host.ts';
import { createProgram } from './cli/program.ts';

await createProgram(processHost(process.env), packageJson.version).parseAsync();
