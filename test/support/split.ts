import { createServer } from 'node:net';
import { once } from 'node:events';
import type { Environment, ReadyLine } from './platform.ts';
import { parseLine } from './platform.ts';
import type { Program } from './processes.ts';
import { startDarkroom } from './processes.ts';
import { familyOf } from './process-table.ts';
import type { Sandbox } from './sandbox.ts';

/** What `start --json --roles …` prints: without the API's role there is no API to name. */
export interface PartLine extends Omit<ReadyLine, 'api' | 'ws' | 'apiKey' | 'node' | 'tenantId'> {
  readonly api: string | null;
  readonly ws: string | null;
  readonly apiKey: string | null;
  readonly tenantId: string | null;
  readonly node: string | null;
}

/** One process of a platform that is split over several. */
export interface Part extends Program {
  readonly ready: PartLine;
}

/** Starts `darkroom start --roles …` and waits for its line; rejects with what it said instead. */
export async function startPart(
  sandbox: Sandbox,
  args: readonly string[],
  env: Environment = {},
): Promise<Part> {
  const surroundings = { cwd: sandbox.cwd, env: { ...sandbox.env, ...env } };
  const program = startDarkroom(['start', '--json', '--port', '0', ...args], surroundings);
  try {
    return { ...program, ready: parseLine<PartLine>(await program.line('stdout', /./)) };
  } catch (error) {
    await program[Symbol.asyncDispose]();
    throw error;
  }
}

/** The part that has an API, as clients need it. */
export function apiOf({ ready }: Part): ReadyLine {
  const { api, ws, apiKey, node, tenantId } = ready;
  if (api === null || ws === null || apiKey === null || node === null || tenantId === null)
    throw new Error('It has no API.');
  return { ...ready, api, ws, apiKey, node, tenantId };
}

/** The process number of a server that the host runs. */
export async function serverOf({ pid }: Program, server: 'postgres' | 'node'): Promise<number> {
  const pattern = server === 'postgres' ? /\/postgres -D / : / node --json /;
  const family = await familyOf(pid);
  const found = family.find(({ parent, command }) => parent === pid && pattern.test(command));
  if (!found) throw new Error(`Process ${pid} runs no ${server}.`);
  return found.pid;
}

/** Listens on a port of the loopback, so that nobody else can, and never answers. */
export async function occupy(port: number): Promise<AsyncDisposable> {
  // Read, because a socket that nobody reads never notices that the other side has gone.
  const server = createServer((socket) => socket.on('error', () => socket.destroy()).resume());
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}
