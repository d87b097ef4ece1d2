import { once } from 'node:events';
import { createConnection } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { systemClock } from '../../src/kernel/clock.ts';
import type { TestApp } from '../support/app.ts';
import { startApp } from '../support/app.ts';
import type { Doors } from '../support/doors.ts';
import { greet, openDoors, openSocket, subscribe } from '../support/doors.ts';
import { QUICK } from '../support/jobs.ts';

const EVENTS = 'subscription ($jobId: ID!) { jobEvents(jobId: $jobId, after: 1) { sequence type } }';

let doors: Doors;
let key: string;

beforeAll(async () => {
  doors = await openDoors();
  key = doors.memory.addTenant();
});

afterAll(() => doors[Symbol.asyncDispose]());

const greeting = () => ({ type: 'connection_init', payload: { authorization: key } });

describe('a client that does not keep to the protocol is closed with its code:', () => {
  it('4408 when it says nothing', async () => {
    await using client = await openSocket(doors.api.wsUrl);
    expect(await client.closed).toBe(4408);
  });

  it('4429 when it greets twice', async () => {
    await using client = await greet(doors.api.wsUrl, key);
    client.send(greeting());
    expect(await client.closed).toBe(4429);
  });

  it('4429 when it greets twice before it was let in', async () => {
    await using client = await openSocket(doors.api.wsUrl);
    client.send(greeting());
    client.send(greeting());
    expect(await client.closed).toBe(4429);
  });

  it('4401 when it subscribes before it was let in, though its key is good', async () => {
    await using client = await openSocket(doors.api.wsUrl);
    client.send(greeting());
    subscribe(client, EVENTS, { jobId: 'job_1' });
    expect(await client.closed).toBe(4401);
    expect(doors.memory.following).toBe(0);
  });

  it('4409 when it uses an id twice, and what it had subscribed to ends', async () => {
    const { id: jobId } = doors.memory.addJob(key);
    await using client = await greet(doors.api.wsUrl, key);
    subscribe(client, EVENTS, { jobId }, 'same');
    await expect.poll(() => doors.memory.following).toBe(1);
    subscribe(client, EVENTS, { jobId }, 'same');
    expect(await client.closed).toBe(4409);
    await expect.poll(() => doors.memory.following).toBe(0);
  });

  it('4409 also when the id is too long to be told', async () => {
    const { id: jobId } = doors.memory.addJob(key);
    await using client = await greet(doors.api.wsUrl, key);
    for (let i = 0; i < 2; i++) subscribe(client, EVENTS, { jobId }, 'same'.repeat(100));
    expect(await client.closed).toBe(4409);
  });

  it.each([
    ['a list', '[]'],
    ['null', 'null'],
    ['a message of no kind', '{"type":"launch"}'],
    ['a subscription without an id', '{"type":"subscribe","payload":{"query":"{a}"}}'],
    ['a subscription without a document', '{"type":"subscribe","id":"1","payload":{}}'],
    ['a document that is none', '{"type":"subscribe","id":"1","payload":{"query":["{a}"]}}'],
    ['variables that are a list', '{"type":"subscribe","id":"1","payload":{"query":"{a}","variables":[]}}'],
    [
      'an operation name that is none',
      '{"type":"subscribe","id":"1","payload":{"query":"{a}","operationName":7}}',
    ],
    ['lists 30,000 deep', '['.repeat(30_000) + ']'.repeat(30_000)],
  ])('4400 when it sends %s', async (_what, text) => {
    await using client = await greet(doors.api.wsUrl, key);
    client.socket.send(text);
    expect(await client.closed).toBe(4400);
  });

  it('4406 when it speaks the protocol of before', async () => {
    expect(await codeToRaw('graphql-ws')).toBe(4406);
  });

  it('1007 when its text is not UTF-8', async () => {
    await using client = await greet(doors.api.wsUrl, key);
    client.socket.send(Buffer.from([0x22, 0xff, 0x22]), { binary: false });
    expect(await client.closed).toBe(1007);
  });

  it('1009 when a message of many small frames goes beyond 64 KiB', async () => {
    await using client = await greet(doors.api.wsUrl, key);
    for (let i = 0; i < 65; i += 1) client.socket.send('a'.repeat(1_024), { fin: false });
    expect(await client.closed).toBe(1009);
  });

  it('1002 when its frames are not masked', async () => {
    expect(await codeToRaw('graphql-transport-ws', Buffer.from([0x81, 0x02, 0x7b, 0x7d]))).toBe(1002);
  });
});

/** The code with which a WebSocket is closed that is opened and then sent bytes by hand. */
async function codeToRaw(protocol: string, bytes: Buffer = Buffer.alloc(0)): Promise<number> {
  const socket = createConnection(doors.api.port, '127.0.0.1');
  const handshake = [
    'GET /graphql HTTP/1.1',
    `Host: 127.0.0.1:${doors.api.port}`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Protocol: ${protocol}`,
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  ];
  socket.write(Buffer.concat([Buffer.from(`${handshake.join('\r\n')}\r\n\r\n`), bytes]));
  let heard = Buffer.alloc(0);
  for await (const part of socket) {
    heard = Buffer.concat([heard, part as Buffer]);
    const frame = heard.indexOf('\r\n\r\n') + 4;
    // A frame that closes: its kind, its length, its code.
    if (frame > 3 && heard.length >= frame + 4 && heard[frame] === 0x88) return heard.readUInt16BE(frame + 2);
  }
  throw new Error(`The connection ended after ${JSON.stringify(String(heard))}.`);
}

describe('an id', () => {
  it('may be used again at once after the client has ended what had it', async () => {
    const { id: jobId } = doors.memory.addJob(key);
    await using client = await greet(doors.api.wsUrl, key);
    subscribe(client, EVENTS, { jobId }, 'same');
    await expect.poll(() => doors.memory.following).toBe(1);
    for (let round = 0; round < 3; round++) {
      client.send({ type: 'complete', id: 'same' });
      subscribe(client, EVENTS, { jobId }, 'same');
    }
    client.send({ type: 'ping' });
    expect(await client.next()).toEqual({ type: 'pong' });
    await expect.poll(() => doors.memory.following).toBe(1);
    doors.memory.emit(jobId, 'STARTED');
    const told = {
      type: 'next',
      id: 'same',
      payload: { data: { jobEvents: { sequence: 2, type: 'STARTED' } } },
    };
    expect(await client.next()).toEqual(told);
  });

  it('may be used again at once after the server has ended what had it', async () => {
    const { id: jobId } = doors.memory.addJob(key);
    doors.memory.emit(jobId, 'COMPLETED');
    await using client = await greet(doors.api.wsUrl, key);
    for (let round = 0; round < 3; round++) {
      subscribe(client, EVENTS, { jobId }, 'same');
      expect(await client.next()).toMatchObject({ type: 'next', id: 'same' });
      expect(await client.next()).toEqual({ type: 'complete', id: 'same' });
      subscribe(client, '{', {}, 'same');
      expect(await client.next()).toMatchObject({ type: 'error', id: 'same' });
    }
  });
});

describe('the wire', () => {
  it('is never compressed, though a client asks for it', async () => {
    const socket = new WebSocket(doors.api.wsUrl, 'graphql-transport-ws', { perMessageDeflate: true });
    await once(socket, 'open');
    expect(socket.extensions).toBe('');
    socket.terminate();
  });

  it('takes a message in as many frames as it comes in', async () => {
    await using client = await openSocket(doors.api.wsUrl);
    const text = JSON.stringify(greeting());
    for (const [i, character] of [...text].entries()) {
      client.socket.send(character, { fin: i === text.length - 1 });
    }
    expect(await client.next()).toEqual({ type: 'connection_ack' });
  });

  it('lets a client have a hundred subscriptions and other clients be', async () => {
    const { id: jobId } = doors.memory.addJob(key);
    await using other = await greet(doors.api.wsUrl, key);
    subscribe(other, EVENTS, { jobId });
    await using client = await greet(doors.api.wsUrl, key);
    for (let i = 0; i < 100; i += 1) subscribe(client, EVENTS, { jobId }, String(i));
    await expect.poll(() => doors.memory.following).toBe(101);
    client.socket.send('{');
    expect(await client.closed).toBe(4400);
    await expect.poll(() => doors.memory.following).toBe(1);
    doors.memory.emit(jobId, 'STARTED');
    expect(await other.next()).toMatchObject({ payload: { data: { jobEvents: { type: 'STARTED' } } } });
  });
});

describe('a key that is revoked in the database', () => {
  let app: TestApp;

  beforeAll(async () => {
    app = await startApp();
  });

  afterAll(() => app[Symbol.asyncDispose]());

  it('closes a socket with a live subscription with 4403 within five seconds', async () => {
    const tenant = await app.createTenant();
    const { id: jobId } = await tenant.client.submitJob(QUICK);
    await using client = await greet(app.app.api.wsUrl, `Bearer ${tenant.apiKey}`);
    subscribe(client, EVENTS.replace(', after: 1', ''), { jobId });
    expect(await client.next()).toMatchObject({ payload: { data: { jobEvents: { type: 'QUEUED' } } } });
    await app.sql('update api_key set revoked_at = now() where tenant_id = $1', [tenant.id]);
    const revokedMs = systemClock.monotonicMs();
    expect(await client.closed).toBe(4403);
    expect(systemClock.monotonicMs() - revokedMs).toBeLessThan(5_000);
  });
});
