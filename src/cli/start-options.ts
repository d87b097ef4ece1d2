import { fileURLToPath } from 'node:url';
import { InvalidArgumentError, type Command } from 'commander';
import type { Role } from '../config/index.ts';
import { ROLES } from '../config/index.ts';

/** Where an installation lives and where it listens: what `start` and `demo` have in common. */
export interface StartFlags {
  readonly data?: string;
  readonly ephemeral?: boolean;
  readonly models: string;
  readonly port: number;
  readonly introspection?: boolean;
  /** All of them when it is missing. */
  readonly roles?: ReadonlySet<Role>;
  /** False: no inference node is hosted. */
  readonly node?: boolean;
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

/** What `start` alone has: a platform split over processes. */
export function addSplitOptions(command: Command): Command {
  return command
    .option('--roles <list>', `comma-separated, of ${ROLES.join(', ')} (default: all)`, parseRoles)
    .option('--no-node', 'host no inference node: there are others, or will be');
}

function parseRoles(text: string): ReadonlySet<Role> {
  const names = text.split(',').map((name) => name.trim());
  const roles = ROLES.filter((role) => names.includes(role));
  if (roles.length === 0 || names.some((name) => !ROLES.some((role) => role === name)))
    throw new InvalidArgumentError(`Roles are ${ROLES.join(', ')}.`);
  return new Set(roles);
}

export function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > PORT_MAX)
    throw new InvalidArgumentError(`A port lies between 0 and ${PORT_MAX}.`);
  return port;
}
