import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { PassThrough } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import pino from 'pino';
import { WebSocket } from 'ws';
import type { Api, Services, SocketLimits } from '../../src/graphql/index.ts';
import { startApi } from '../../src/graphql/index.ts';
import type { Clock } from '../../src/kernel/clock.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import type { MemoryServices } from './memory-services.ts';
import { createMemoryServices } from './memory-services.ts';

export interface Doors extends AsyncDisposable {
  readonly api: Api;
  readonly memory: MemoryServices;
  /** Everything that was logged, as lines of JSON. */
  readonly log: () => string;
}

export interface DoorOptions {
  readonly introspection?: boolean;
  readonly allowedOrigins?: readonly string[];
  readonly port?: number;
  readonly socketLimits?: SocketLimits;
  readonly clock?: Clock;
  readonly readiness?: () => Promise<readonly string[]>;
  readonly routes?: (http: FastifyInstance) => void;
  /** Puts something in front of the services. */
  readonly wrap?: (services: Services) => Services;
}

/** The API on a free port of the loopback, before services in memory. */
export async function openDoors({
  wrap = (services) => services,
  ...options
}: DoorOptions = {}): Promise<Doors> {
  const memory = createMemoryServices();
  const lines = new PassThrough();
  const logged: Buffer[] = [];
  lines.on('data', (line: Buffer) => logged.push(line));
  const api = await startApi({
    services: wrap(memory.services),
    introspection: false,
    host: '127.0.0.1',
    port: 0,
    allowedOrigins: [],
    readiness: async () => [],
    clock: systemClock,
    random: systemRandom,
    logger: pino({ level: 'debug' }, lines satisfies Writable),
    ...options,
  });
  return {
    api,
    memory,
    log: () => Buffer.concat(logged).toString('utf8'),
    [Symbol.asyncDispose]: () => api[Symbol.asyncDispose](),
  };
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly data: Readonly<Record<string, unknown>> | null | undefined;
  readonly errors: readonly AnswerError[];
  /** Of the first error. */
  readonly code: string | undefined;
}

export interface AnswerError {
  readonly message: string;
  readonly path?: readonly (string | number)[];
  readonly extensions: Readonly<Record<string, unknown>> & { readonly code: string };
}

/** Sends a body as it is. The answer must be JSON: an HTML page is what these tests are there to prevent. */
export async function send(url: string, init: RequestInit): Promise<Answer> {
  const response = await fetch(url, init);
  const text = await response.text();
  const { data, errors = [] } = JSON.parse(text) as Partial<Answer>;
  return {
    status: response.status,
    headers: response.headers,
    text,
    data,
    errors,
    code: errors[0]?.extensions.code,
  };
}

export function post(
  url: string,
  authorization: string,
  body: unknown,
  headers: Record<string, string> = {},
) {
  return send(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization, ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

export interface SocketMessage {
  readonly type: string;
  readonly id?: string;
  readonly payload?: unknown;
}

/** A client of graphql-transport-ws that says what it is told and shows what it hears. */
export interface TestSocket extends AsyncDisposable {
  readonly socket: WebSocket;
  send(message: SocketMessage): void;
  /** The next message that has not been read yet. */
  next(): Promise<SocketMessage>;
  /** Resolves with the code when the server closes. */
  readonly closed: Promise<number>;
}

export async function openSocket(url: string, headers: Record<string, string> = {}): Promise<TestSocket> {
  const socket = new WebSocket(url, 'graphql-transport-ws', { headers });
  const unread: SocketMessage[] = [];
  const wanting: ((message: SocketMessage) => void)[] = [];
  socket.on('message', (data) => {
    const message = JSON.parse(String(data)) as SocketMessage;
    const taker = wanting.shift();
    if (taker) taker(message);
    else unread.push(message);
  });
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  await once(socket, 'open');
  socket.on('error', () => undefined);
  return {
    socket,
    closed,
    send: (message) => socket.send(JSON.stringify(message)),
    next() {
      const message = unread.shift();
      return message ? Promise.resolve(message) : new Promise((resolve) => wanting.push(resolve));
    },
    async [Symbol.asyncDispose]() {
      socket.terminate();
      await closed;
    },
  };
}

/** A socket that has shown its key and been let in. */
export async function greet(url: string, authorization: string): Promise<TestSocket> {
  const client = await openSocket(url);
  client.send({ type: 'connection_init', payload: { authorization } });
  const { type } = await client.next();
  if (type !== 'connection_ack') throw new Error(`Greeted with ${type}.`);
  return client;
}

export function subscribe(client: TestSocket, query: string, variables: object = {}, id = '1'): void {
  client.send({ type: 'subscribe', id, payload: { query, variables } as unknown });
}
