import { PassThrough } from 'node:stream';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunningNode } from '../../src/node/index.ts';
import type { TestApp, TestTenant } from '../support/app.ts';
import { startApp } from '../support/app.ts';
import { greet } from '../support/doors.ts';
import { QUICK } from '../support/jobs.ts';
import { startPicoNode } from '../support/node.ts';
import type { OwnPostgres } from '../support/own-postgres.ts';
import { startOwnPostgres } from '../support/own-postgres.ts';

const SOON = { timeout: 30_000 };
// pino's number: what is below is written for those who debug.
const INFO = 30;

interface Line {
  readonly level: number;
  readonly msg: string;
  readonly awayMs?: number;
}

const stack = new AsyncDisposableStack();
const lines: Line[] = [];
let postgres: OwnPostgres;
let node: RunningNode;
let app: TestApp;
let tenant: TestTenant;

beforeAll(async () => {
  postgres = stack.use(await startOwnPostgres());
  node = stack.use(await startPicoNode());
  const stream = new PassThrough({ encoding: 'utf8' });
  stream.on('data', (line: string) => void lines.push(JSON.parse(line) as Line));
  const logger = pino({ level: 'debug' }, stream);
  app = stack.use(await startApp({ database: postgres.database, nodeAddress: node.address, logger }));
  tenant = await app.createTenant();
});

afterAll(() => stack.disposeAsync());

const told = () => lines.filter(({ level }) => level >= INFO);

/** What a request with a key in force is answered: its HTTP status and its code, if there is one. */
async function knock(): Promise<string> {
  const { status, errors } = await app.request(tenant, '{ viewer { tenant { id } } }');
  return `${status} ${errors[0]?.extensions['code'] ?? 'ok'}`;
}

describe('a database that goes away', () => {
  it.each([
    ['is killed', () => postgres.kill()],
    ['is stopped and started', () => postgres.stop()],
  ])(
    'and %s is two lines of the log, whatever runs meanwhile, and no key is refused for it',
    async (_, end) => {
      await using socket = await greet(app.app.api.wsUrl, `Bearer ${tenant.apiKey}`);
      const { id } = await tenant.client.submitJob({ ...QUICK, steps: 60 });
      await expect.poll(async () => (await tenant.client.job(id))?.state, SOON).not.toBe('QUEUED');
      lines.length = 0;

      await end();
      const answers = new Set<string>();
      // Long enough for every loop to have met it: keys of sockets are looked at every few seconds.
      const failures = () => new Set(lines.filter(({ level }) => level < INFO).map(({ msg }) => msg));
      await expect
        .poll(async () => {
          answers.add(await knock());
          return [...failures()];
        }, SOON)
        .toEqual(expect.arrayContaining(['A key could not be checked again.', 'claiming failed']));
      await postgres.start();
      await expect
        .poll(async () => (await tenant.client.job(id).catch(() => null))?.state, SOON)
        .toBe('SUCCEEDED');
      await expect.poll(() => told().length, SOON).toBeGreaterThanOrEqual(2);

      expect(told().filter(({ msg }) => !/^took a job|^node ready/.test(msg))).toMatchObject([
        { msg: 'the database is away; it is tried again' },
        { msg: 'the database is back', awayMs: expect.any(Number) },
      ]);
      answers.delete('200 ok');
      expect([...answers]).toEqual([expect.stringMatching(/^\d+ UNAVAILABLE$/)]);
      expect(socket.socket.readyState).toBe(socket.socket.OPEN);
    },
  );
});
