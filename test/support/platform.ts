import { connect } from '../../src/platform/db/connect.ts';
import type { Program } from './processes.ts';
import { runDarkroom, startDarkroom } from './processes.ts';
import type { Sandbox } from './sandbox.ts';

/** What `start --json` prints. */
export interface ReadyLine {
  readonly api: string;
  readonly ws: string;
  readonly node: string;
  readonly apiKey: string;
  readonly tenantId: string;
  readonly databaseUrl: string | null;
  readonly dataDir: string;
}

/** `darkroom start` as a process of its own, ready to draw. */
export interface Platform extends Program {
  readonly ready: ReadyLine;
}

/** What `generate --json` and `demo --json` print. */
export interface Drawn {
  readonly jobId: string;
  readonly image: DrawnPicture;
  readonly images: readonly DrawnPicture[];
  readonly seed: string;
  readonly steps: number;
  readonly credits: number;
  readonly ms: number;
}

export interface DrawnPicture {
  readonly path: string;
  readonly width: number;
  readonly height: number;
  readonly sha256: string;
  readonly pixelSha256: string;
}

export type Environment = Readonly<Record<string, string>>;

/** Starts the whole platform on free ports and waits for its line; rejects with what it said instead. */
export async function startPlatform(
  sandbox: Sandbox,
  args: readonly string[],
  env: Environment = {},
): Promise<Platform> {
  const program = startDarkroom(['start', '--json', '--port', '0', ...args], {
    cwd: sandbox.cwd,
    env: { ...sandbox.env, ...env },
  });
  try {
    return { ...program, ready: parseLine<ReadyLine>(await program.line('stdout', /./)) };
  } catch (error) {
    await program[Symbol.asyncDispose]();
    throw error;
  }
}

/** Runs a command that must succeed, and parses the one line that it prints. */
export async function runJson<T>(
  sandbox: Sandbox,
  args: readonly string[],
  env: Environment = {},
): Promise<T> {
  const outcome = await runDarkroom([...args, '--json'], {
    cwd: sandbox.cwd,
    env: { ...sandbox.env, ...env },
  });
  if (outcome.code !== 0) throw new Error(`darkroom ${args.join(' ')} failed:\n${outcome.stderr}`);
  return parseLine<T>(outcome.stdout);
}

/** `darkroom generate` with the key that the platform printed, or another. */
export function draw(
  sandbox: Sandbox,
  { api, apiKey }: Pick<ReadyLine, 'api' | 'apiKey'>,
  args: readonly string[],
): Promise<Drawn> {
  return runJson<Drawn>(sandbox, ['generate', ...args, '--api', api, '--key', apiKey]);
}

/** The data that a GraphQL request is answered; rejects when there are errors beside it. */
export async function ask<T>(
  { api, apiKey }: Pick<ReadyLine, 'api' | 'apiKey'>,
  query: string,
  variables: object = {},
): Promise<T> {
  const response = await fetch(api, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${apiKey}` },
    body: JSON.stringify({ query, variables }),
  });
  const text = await response.text();
  const { data, errors } = JSON.parse(text) as { data?: T; errors?: unknown };
  if (data === undefined || errors !== undefined) throw new Error(`${response.status}: ${text}`);
  return data;
}

/** Rows as the login of `url` sees them. */
export async function rowsOf<Row extends object>(
  url: string | null,
  sql: string,
  values: readonly unknown[] = [],
): Promise<readonly Row[]> {
  if (url === null) throw new Error('There is no database to ask.');
  await using connection = await connect({ url, applicationName: 'darkroom test' });
  // Awaited here, for the connection closes when this function ends.
  return await connection.query<Row>(sql, values);
}

/** Parses what must be exactly one line of JSON. */
export function parseLine<T>(text: string): T {
  const [line = '', ...more] = text.trimEnd().split('\n');
  if (more.length > 0) throw new Error(`More than one line:\n${text}`);
  return JSON.parse(line) as T;
}
