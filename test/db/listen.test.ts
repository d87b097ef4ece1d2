import { pino } from 'pino';
import { expect, it, vi } from 'vitest';
import { connect } from '../../src/platform/db/connect.ts';
import type { Listener } from '../../src/platform/db/index.ts';
import { openListener } from '../../src/platform/db/index.ts';
import type { TestDatabase } from '../support/database.ts';
import { createDatabase } from '../support/database.ts';

const logger = pino({ level: 'silent' });

const SOON = { timeout: 10_000 };

const open = ({ urls }: TestDatabase): Promise<Listener> => openListener({ url: urls.listen, logger });

/** A sender with a connection of its own, which outlives what is done to the listener's. */
async function openSender({ adminUrl }: TestDatabase) {
  const admin = await connect({ url: adminUrl, applicationName: 'test' });
  return {
    notify: (channel: string, payload: string) => admin.query('select pg_notify($1, $2)', [channel, payload]),
    endListener: () =>
      admin.query(`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'darkroom listener'
                    and datname = current_database()`),
    listeners: () =>
      admin.query(`select from pg_stat_activity where application_name = 'darkroom listener'
                    and datname = current_database()`),
    [Symbol.asyncDispose]: () => admin[Symbol.asyncDispose](),
  };
}

it('delivers what is sent after `listen` has resolved, to each listener of the channel and no other', async () => {
  await using database = await createDatabase();
  await using sender = await openSender(database);
  await using listener = await open(database);
  const [first, second, other]: string[][] = [[], [], []];
  await listener.listen('jobs', (payload) => first?.push(payload));
  await listener.listen('jobs', (payload) => second?.push(payload));
  await listener.listen('Other "jobs"', (payload) => other?.push(payload));

  await sender.notify('jobs', 'job_1');
  await sender.notify('Other "jobs"', 'job_2');

  await vi.waitFor(() => expect([first, second, other]).toEqual([['job_1'], ['job_1'], ['job_2']]), SOON);
});

it('comes back after its connection was ended, tells so, and hears every channel again', async () => {
  await using database = await createDatabase();
  await using sender = await openSender(database);
  await using listener = await open(database);
  const heard: string[] = [];
  const back = vi.fn<() => void>();
  listener.onReconnect(back);
  for (const channel of ['a', 'b']) await listener.listen(channel, (payload) => heard.push(payload));

  for (const round of [1, 2]) {
    await sender.endListener();
    await vi.waitFor(() => expect(back).toHaveBeenCalledTimes(round), SOON);
    await sender.notify('a', `a${round}`);
    await sender.notify('b', `b${round}`);
    // What is still on its way when a connection ends is lost, so each round waits for its own.
    await vi.waitFor(() => expect(heard.slice(-2)).toEqual([`a${round}`, `b${round}`]), SOON);
  }
  expect(heard).toEqual(['a1', 'b1', 'a2', 'b2']);
});

it('hears a channel that was added while the connection was down', async () => {
  await using database = await createDatabase();
  await using sender = await openSender(database);
  await using listener = await open(database);
  const back = Promise.withResolvers<void>();
  listener.onReconnect(back.resolve);
  const heard: string[] = [];

  await sender.endListener();
  await listener.listen('late', (payload) => heard.push(payload));
  await back.promise;
  await sender.notify('late', 'job_1');

  await vi.waitFor(() => expect(heard).toEqual(['job_1']), SOON);
});

it('delivers nothing more once it was told to stop', async () => {
  await using database = await createDatabase();
  await using sender = await openSender(database);
  await using listener = await open(database);
  const [stopped, going]: string[][] = [[], []];
  const stop = await listener.listen('jobs', (payload) => stopped?.push(payload));
  await listener.listen('jobs', (payload) => going?.push(payload));

  stop();
  await sender.notify('jobs', 'job_1');

  await vi.waitFor(() => expect(going).toEqual(['job_1']), SOON);
  expect(stopped).toEqual([]);
});

it('leaves no connection when it is closed, even while it is reconnecting', async () => {
  await using database = await createDatabase();
  await using sender = await openSender(database);
  const idle = await open(database);
  const reconnecting = await open(database);

  await idle[Symbol.asyncDispose]();
  await sender.endListener();
  await reconnecting[Symbol.asyncDispose]();

  await vi.waitFor(async () => expect(await sender.listeners()).toEqual([]), SOON);
});

it('rejects when the database cannot be reached at the start', async () => {
  await using database = await createDatabase();
  const url = database.urls.listen.replace(/\/\w+$/, '/nowhere');

  await expect(openListener({ url, logger })).rejects.toMatchObject({ code: '3D000' });
});
