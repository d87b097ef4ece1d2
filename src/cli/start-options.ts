import { fileURLToPath } from 'node:url';
import { InvalidArgumentError, type Command } from 'commander';

/** Where an installation lives and where it listens: what `start` and `demo` have in common. */
export interface StartFlags {
  readonly data?: string;
  readonly ephemeral?: boolean;
  readonly models: string;
  readonly port: number;
  readonly introspection?: boolean;
}

const PORT_MAX = 65_535;

/** The folder of the program itself: what a clone ships with and keeps is relative to it. */
const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export const ENTRY = fileURLToPath(new URL('../main.ts', import.meta.url));
export const DEFAULT_MODELS = `${ROOT}deploy/models`;
export const DEFAULT_DATA = `${ROOT}.darkroom`;

export function addStartOptions(command: Command, defaults: { readonly port: number }): Command {
  return command
    .option('--data <dir>', 'keep database, pictures and keys here (default: .darkroom in the clone)')
    .option('--ephemeral', 'keep nothing: a temporary folder that is removed at the end')
    .option('--models <dir>', 'the folder of model bundles to offer', DEFAULT_MODELS)
    .option('--port <number>', 'where the API listens; 0 picks a free port', parsePort, defaults.port)
    .option('--introspection', 'let clients ask the API for its schema');
}

export function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > PORT_MAX)
    throw new InvalidArgumentError(`A port lies between 0 and ${PORT_MAX}.`);
  return port;
}
