import { once } from 'node:events';
import { getIntrospectionQuery } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { Doors } from '../support/doors.ts';
import { greet, openDoors, openSocket, subscribe } from '../support/doors.ts';
import type { ManualClock } from '../support/manual-clock.ts';
import { createManualClock, moveUntil } from '../support/manual-clock.ts';

const EVENTS =
  'subscription ($jobId: ID!, $after: Int) { jobEvents(jobId: $jobId, after: $after) { sequence type } }';

let doors: Doors;
let key: string;
let clock: ManualClock;

beforeAll(async () => {
  clock = createManualClock();
  doors = await openDoors({ clock, allowedOrigins: ['https://console.example.com'] });
  key = doors.memory.addTenant();
});

afterAll(() => moveUntil(clock, doors[Symbol.asyncDispose]()));

/** The status of a refused upgrade. */
async function refusedUpgrade(url: string, origin?: string): Promise<number> {
  const socket = new WebSocket(url, 'graphql-transport-ws', origin === undefined ? {} : { origin });
  const [, response] = await once(socket, 'unexpected-response');
  return response.statusCode;
}

describe('the WebSocket door lets in', () => {
  it('no key but one in force: 4403', async () => {
    for (const payload of [undefined, {}, { authorization: 'Bearer dk_live_wrong' }, { authorization: 7 }]) {
      await using client = await openSocket(doors.api.wsUrl);
      client.send({ type: 'connection_init', payload });
      expect(await client.closed).toBe(4403);
    }
  });

  it('no subscription before the key', async () => {
    await using client = await openSocket(doors.api.wsUrl);
    subscribe(client, EVENTS, { jobId: 'job_1' });
    expect(await client.closed).toBe(4401);
  });

  it('no page of another origin, and nothing at another path', async () => {
    expect(await refusedUpgrade(doors.api.wsUrl, 'https://evil.example.com')).toBe(403);
    expect(await refusedUpgrade(doors.api.wsUrl, 'null')).toBe(403);
    expect(await refusedUpgrade(doors.api.wsUrl.replace('/graphql', '/other'))).toBe(404);
    for (const origin of [doors.api.httpUrl.replace('/graphql', ''), 'https://console.example.com']) {
      await using client = await openSocket(doors.api.wsUrl, { origin });
      expect(client.socket.readyState).toBe(WebSocket.OPEN);
    }
  });

  it('the key only as long as it holds: 4403 when it is revoked', async () => {
    const passing = doors.memory.addTenant();
    await using client = await greet(doors.api.wsUrl, passing);
    await using other = await greet(doors.api.wsUrl, key);
    doors.memory.revoke(passing);
    clock.advance(5_000);
    expect(await client.closed).toBe(4403);
    expect(other.socket.readyState).toBe(WebSocket.OPEN);
  });
});

describe('jobEvents', () => {
  it('replays, goes live and ends after the terminal event', async () => {
    const job = doors.memory.addJob(key);
    await using client = await greet(doors.api.wsUrl, key);
    subscribe(client, EVENTS, { jobId: job.id });
    expect(await client.next()).toMatchObject({
      type: 'next',
      payload: { data: { jobEvents: { sequence: 1, type: 'QUEUED' } } },
    });
    doors.memory.emit(job.id, 'STARTED');
    expect(await client.next()).toMatchObject({
      payload: { data: { jobEvents: { sequence: 2, type: 'STARTED' } } },
    });
    doors.memory.emit(job.id, 'COMPLETED');
    expect(await client.next()).toMatchObject({ payload: { data: { jobEvents: { type: 'COMPLETED' } } } });
    expect(await client.next()).toEqual({ type: 'complete', id: '1' });
    expect(doors.memory.following).toBe(0);
  });

  it('resumes after a sequence', async () => {
    const job = doors.memory.addJob(key);
    doors.memory.emit(job.id, 'STARTED');
    await using client = await greet(doors.api.wsUrl, key);
    subscribe(client, EVENTS, { jobId: job.id, after: 1 });
    expect(await client.next()).toMatchObject({ payload: { data: { jobEvents: { sequence: 2 } } } });
  });

  it.each(['unsubscribes', 'closes its socket', 'vanishes'])(
    'releases its stream when the client %s',
    async (how) => {
      const job = doors.memory.addJob(key);
      await using client = await greet(doors.api.wsUrl, key);
      subscribe(client, EVENTS, { jobId: job.id, after: 1 });
      await expect.poll(() => doors.memory.following).toBe(1);
      if (how === 'unsubscribes') client.send({ type: 'complete', id: '1' });
      else if (how === 'vanishes') client.socket.terminate();
      else client.socket.close();
      await expect.poll(() => doors.memory.following).toBe(0);
    },
  );

  it('is NOT_FOUND for a job that is missing and for one of another tenant, in the same words', async () => {
    const foreign = doors.memory.addJob(doors.memory.addTenant());
    await using client = await greet(doors.api.wsUrl, key);
    const answers = [];
    for (const jobId of ['job_unknown', foreign.id]) {
      subscribe(client, EVENTS, { jobId });
      answers.push(await client.next());
      expect(await client.next()).toEqual({ type: 'complete', id: '1' });
    }
    expect(answers[0]).toMatchObject({
      type: 'next',
      payload: { errors: [{ extensions: { code: 'NOT_FOUND' } }] },
    });
    expect(answers[1]).toEqual(answers[0]);
  });

  it('is BAD_USER_INPUT for an `after` beyond the last event, and for what a type cannot hold', async () => {
    const { id: jobId } = doors.memory.addJob(key);
    await using client = await greet(doors.api.wsUrl, key);
    for (const variables of [{ jobId, after: 2 }, { jobId, after: 1.5 }, { jobId: null }]) {
      subscribe(client, EVENTS, variables);
      expect(await client.next()).toMatchObject({
        payload: { errors: [{ extensions: { code: 'BAD_USER_INPUT' } }] },
      });
      expect(await client.next()).toEqual({ type: 'complete', id: '1' });
    }
    subscribe(client, EVENTS, { jobId: 'a\0' });
    expect(await client.next()).toMatchObject({
      type: 'error',
      payload: [{ extensions: { code: 'BAD_USER_INPUT' } }],
    });
  });

  it('is FORBIDDEN without the permission', async () => {
    await using client = await greet(doors.api.wsUrl, doors.memory.addTenant(['JOBS_WRITE']));
    const before = doors.memory.calls.length;
    subscribe(client, EVENTS, { jobId: 'job_1' });
    expect(await client.next()).toMatchObject({
      payload: { errors: [{ extensions: { code: 'FORBIDDEN' } }] },
    });
    expect(doors.memory.calls.length).toBe(before);
  });
});

it('the door counts its sockets, the events it sent and the most that one client left unread', async () => {
  await using own = await openDoors();
  const ownKey = own.memory.addTenant();
  const { id: jobId } = own.memory.addJob(ownKey);
  expect(own.api.figures()).toEqual({ sockets: 0, socketBufferBytesMax: 0, eventsDelivered: 0 });
  await using client = await greet(own.api.wsUrl, ownKey);
  for (const id of ['1', '2']) {
    subscribe(client, EVENTS, { jobId }, id);
    await client.next();
  }
  subscribe(client, EVENTS, { jobId: 'job_unknown' }, '3');
  await client.next();
  expect(own.api.figures()).toMatchObject({ sockets: 1, eventsDelivered: 2 });
  client.socket.pause();
  const ping = { type: 'ping', payload: { text: 'a'.repeat(60_000) } };
  await expect
    .poll(() => (client.send(ping), own.api.figures().socketBufferBytesMax), { interval: 1 })
    .toBeGreaterThan(60_000);
  client.socket.terminate();
  await expect.poll(() => own.api.figures().sockets).toBe(0);
});

it('the door lets only so many wait who have not shown a key, and those who have one in', async () => {
  const socketLimits = { perKey: 100, strangers: 100, strangersPerAddress: 2 };
  await using own = await openDoors({ socketLimits });
  const authorization = own.memory.addTenant();
  await using first = await openSocket(own.api.wsUrl);
  await using second = await openSocket(own.api.wsUrl);
  expect(await refusedUpgrade(own.api.wsUrl)).toBe(429);
  first.send({ type: 'connection_init', payload: { authorization } });
  expect(await first.next()).toEqual({ type: 'connection_ack' });
  await using third = await openSocket(own.api.wsUrl);
  expect(await refusedUpgrade(own.api.wsUrl)).toBe(429);
  second.socket.terminate();
  await expect.poll(() => own.api.figures().sockets).toBe(2);
  await using fourth = await greet(own.api.wsUrl, authorization);
  expect([third, fourth].map(({ socket }) => socket.readyState)).toEqual([WebSocket.OPEN, WebSocket.OPEN]);
});

it('the door says goodbye also to a client that has left its events unread', async () => {
  const ownClock = createManualClock();
  const own = await openDoors({ clock: ownClock });
  const authorization = own.memory.addTenant();
  const { id: jobId } = own.memory.addJob(authorization);
  await using client = await greet(own.api.wsUrl, authorization);
  client.socket.pause();
  const ping = { type: 'ping', payload: { text: 'a'.repeat(20_000) } };
  await expect
    .poll(() => (client.send(ping), own.api.figures().socketBufferBytesMax), { interval: 1 })
    .toBeGreaterThan(550_000);
  // Its event waits for room.
  subscribe(client, EVENTS, { jobId });
  await expect.poll(() => own.memory.following).toBe(1);
  const closing = own[Symbol.asyncDispose]();
  client.socket.resume();
  expect(await client.closed).toBe(1001);
  await moveUntil(ownClock, closing);
});

describe('the WebSocket door refuses, and nothing runs', () => {
  const field = 'jobEvents(jobId: "1") { sequence }';

  it.each([
    ['a query', '{ viewer { balanceCredits } }'],
    ['a mutation', 'mutation { jobCancel(input: { jobId: "1" }) { job { id } } }'],
    ['introspection', getIntrospectionQuery()],
    ['a schema read by a subscription', `subscription { ${field} __type(name: "Job") { name } }`],
    ['text that is not GraphQL', 'subscription {'],
    [
      'aliases',
      `subscription { jobEvents(jobId: "1") { ${Array.from({ length: 200 }, (_, i) => `a${i}: __typename`).join(' ')} } }`,
    ],
    ['depth', `subscription { jobEvents(jobId: "1") ${'{ image '.repeat(11)} { id } ${'}'.repeat(11)} }`],
    ['tokens', `subscription { jobEvents(jobId: "1") { ${'sequence '.repeat(1_000)} } }`],
    ['two fields at once', `subscription { ${field} b: ${field} }`],
    ['an unknown field, without a hint', 'subscription { jobEvents(jobId: "1") { sequenc } }'],
  ])('%s', async (_what, query) => {
    await using client = await greet(doors.api.wsUrl, key);
    const before = doors.memory.calls.length;
    subscribe(client, query);
    const answer = await client.next();
    expect(answer.type).toBe('error');
    expect(JSON.stringify(answer)).not.toContain('Did you mean');
    expect(JSON.stringify(answer)).toMatch(
      /"code":"(BAD_REQUEST|GRAPHQL_VALIDATION_FAILED|GRAPHQL_PARSE_FAILED)"/,
    );
    expect(doors.memory.calls.length).toBe(before);
  });

  it.each<[what: string, data: string | Buffer, code: number]>([
    ['a frame of 20 MB', 'a'.repeat(20_000_000), 1009],
    ['a binary frame', Buffer.from('{"type":"ping"}'), 1003],
    ['text that is not the protocol', 'hello', 4400],
  ])('%s', async (_what, data, code) => {
    await using client = await greet(doors.api.wsUrl, key);
    client.socket.send(data);
    expect(await client.closed).toBe(code);
  });

  it('more than a hundred subscriptions on one socket', async () => {
    const { id: jobId } = doors.memory.addJob(key);
    await using client = await greet(doors.api.wsUrl, key);
    for (let i = 0; i <= 100; i++) subscribe(client, EVENTS, { jobId, after: 1 }, String(i));
    expect(await client.closed).toBe(4429);
    await expect.poll(() => doors.memory.following).toBe(0);
  });

  it('to wait for a client that answers no ping', async () => {
    const { id: jobId } = doors.memory.addJob(key);
    await using client = await greet(doors.api.wsUrl, key);
    client.socket.pause();
    subscribe(client, EVENTS, { jobId, after: 1 });
    await expect.poll(() => doors.memory.following).toBe(1);
    // Two pings without an answer in between.
    clock.advance(15_000);
    await expect.poll(() => (clock.advance(15_000), doors.memory.following)).toBe(0);
  });

  it('to hold what a client makes it say and does not read', async () => {
    const { id: jobId } = doors.memory.addJob(key);
    await using client = await greet(doors.api.wsUrl, key);
    subscribe(client, EVENTS, { jobId, after: 1 });
    await expect.poll(() => doors.memory.following).toBe(1);
    client.socket.pause();
    const ping = { type: 'ping', payload: { text: 'a'.repeat(60_000) } };
    await expect
      .poll(() => (client.send(ping), client.send(ping), doors.memory.following), { interval: 1 })
      .toBe(0);
  });
});

describe('errors of our own', () => {
  it('are masked, and found in the log under the request id', async () => {
    try {
      doors.memory.breakWith(new Error('password=hunter3 on db-7'));
      await using client = await greet(doors.api.wsUrl, key);
      subscribe(client, EVENTS, { jobId: 'job_1' });
      const answer = JSON.stringify(await client.next());
      expect(answer).toMatch(/"message":"Internal error\.".*"code":"INTERNAL"/);
      expect(answer).not.toContain('hunter3');
      const requestId = /"requestId":"(req_[^"]+)"/.exec(answer)?.[1] ?? 'none';
      const lines = doors.log().split('\n');
      expect(lines.some((line) => line.includes(requestId) && line.includes('hunter3'))).toBe(true);
    } finally {
      doors.memory.breakWith(null);
    }
  });
});
