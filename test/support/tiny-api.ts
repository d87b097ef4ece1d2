import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { json } from 'node:stream/consumers';
import { makeExecutableSchema } from '@graphql-tools/schema';
import type { GraphQLSchema } from 'graphql';
import { graphql, GraphQLError } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';
import type { Finding, JobEventType, JobQuote, JobSubmitInput, UserError } from '../../src/client/index.ts';
import type { TinyJob } from './tiny-job.ts';
import { createTinyJob, fileOf, isLast, JOB_ID, toEvent, toJob } from './tiny-job.ts';
import { TINY_SCHEDULERS } from './tiny-schedulers.ts';

export { fileOf } from './tiny-job.ts';
export const TINY_KEY = 'dk_live_tiny';

/** What the test wants to happen, and what did happen. */
interface Script {
  /** What was submitted, quoted, cancelled and subscribed to (by `after`), in order. */
  readonly submitted: JobSubmitInput[];
  readonly quoted: JobSubmitInput[];
  readonly cancelled: string[];
  readonly subscribed: (number | null)[];
  /** How many events each of them was told. */
  readonly told: number[];
  /** What the next calls are answered with instead of being done. */
  refusal: readonly UserError[];
  failure: { readonly code: string; readonly retryAfterMs?: number } | null;
  /** What the job was found to have, and what a quote is answered with. */
  findings: readonly Finding[];
  quote: JobQuote | null;
  /** How many events that a subscriber already has come again, as they may after a lost socket. */
  overlap: number;
  /** What pictures' links answer with in place of the file. */
  file: Uint8Array | null;
  /** Called when a job is submitted. */
  onSubmit: () => void;
  /** Counts up when every subscription is to end in an orderly way, as before a server stops. */
  epoch: number;
  /** Where the API and its pictures are served. */
  origin: string;
}

/**
 * The API's schema over real HTTP and WebSocket, and behind it one job whose life the test tells.
 * Every picture's file is `png0`, `png1`, … .
 */
export interface TinyApi extends Script, AsyncDisposable {
  readonly api: string;
  /** How many WebSockets were opened in all. */
  connections(): number;
  /** How many of them are open. */
  sockets(): number;
  /** Appends an event and tells it to whoever follows. */
  emit(type: JobEventType, step?: number): void;
  /** Resolves once `count` subscriptions have been made in all. */
  followed(count: number): Promise<void>;
  /** Ends every WebSocket: without a word, or in order with a close code. */
  cut(code?: number): void;
  /** Stops reading from and answering to the sockets that are open, which stay open. */
  freeze(): void;
  /** Ends every subscription in an orderly way. */
  complete(): void;
}

export async function startTinyApi(): Promise<TinyApi> {
  const job = createTinyJob();
  const script: Script = {
    submitted: [],
    quoted: [],
    cancelled: [],
    subscribed: [],
    told: [],
    refusal: [],
    failure: null,
    findings: [],
    quote: null,
    overlap: 0,
    file: null,
    onSubmit: () => undefined,
    epoch: 0,
    origin: '',
  };
  const typeDefs = await readFile(new URL('../../schema.graphql', import.meta.url), 'utf8');
  const schema = makeExecutableSchema({ typeDefs, resolvers: resolversOf(script, job) });
  const server = createServer((request, response) => void answer({ request, response }, { schema, script }));
  const wire = openWire(new WebSocketServer({ server, path: '/graphql' }), schema);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  script.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const complete = () => {
    script.epoch += 1;
    job.wake();
  };
  return Object.assign(script, {
    api: `${script.origin}/graphql`,
    connections: wire.connections,
    sockets: wire.sockets,
    emit: job.emit,
    async followed(count: number) {
      while (script.subscribed.length < count) await job.changed();
    },
    cut: wire.cut,
    freeze: wire.freeze,
    complete,
    async [Symbol.asyncDispose]() {
      complete();
      await wire.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}

function resolversOf(script: Script, job: TinyJob) {
  const refuseOr = (act: () => void) => {
    if (script.failure !== null) throw graphqlErrorOf(script.failure);
    if (script.refusal.length > 0) return { job: null, userErrors: script.refusal };
    act();
    return { job: { ...toJob(job, script.origin), findings: script.findings }, userErrors: [] };
  };
  return {
    Query: {
      job: (_: unknown, { id }: { id: string }) => (id === JOB_ID ? toJob(job, script.origin) : null),
      variants: () => [],
      schedulers: () => TINY_SCHEDULERS,
      jobQuote: (_: unknown, { input }: { input: JobSubmitInput }) => {
        script.quoted.push(input);
        return script.quote;
      },
    },
    Mutation: {
      jobSubmit: (_: unknown, { input }: { input: JobSubmitInput }) =>
        refuseOr(() => {
          script.submitted.push(input);
          job.input = input;
          job.emit('QUEUED');
          script.onSubmit();
        }),
      jobCancel: (_: unknown, { input }: { input: { jobId: string } }) =>
        refuseOr(() => {
          script.cancelled.push(input.jobId);
          job.emit('CANCELLED');
        }),
    },
    Subscription: {
      jobEvents: {
        subscribe: (_: unknown, args: { jobId: string; after: number | null }) => tell(script, job, args),
      },
    },
  };
}

async function* tell(
  script: Script,
  job: TinyJob,
  { jobId, after }: { jobId: string; after: number | null },
) {
  const reader = script.subscribed.push(after) - 1;
  script.told.push(0);
  job.wake();
  if (script.failure !== null) throw graphqlErrorOf(script.failure);
  if (jobId !== JOB_ID) throw graphqlErrorOf({ code: 'NOT_FOUND' });
  const { epoch } = script;
  let next = Math.max(0, (after ?? 0) - script.overlap);
  for (;;) {
    if (script.epoch !== epoch) return;
    const event = job.events[next];
    if (event === undefined) {
      await job.changed();
      continue;
    }
    next += 1;
    script.told[reader] = (script.told[reader] ?? 0) + 1;
    yield { jobEvents: toEvent(event, script.origin) };
    if (isLast(event)) return;
  }
}

async function answer(
  { request, response }: { request: IncomingMessage; response: ServerResponse },
  { schema, script }: { schema: GraphQLSchema; script: Script },
): Promise<void> {
  if (request.method === 'GET') {
    response.end(script.file ?? fileOf(Number(request.url?.slice('/objects/'.length))));
    return;
  }
  if (request.headers.authorization !== `Bearer ${TINY_KEY}`) {
    reply(response, 401, { errors: [{ message: 'No such key.', extensions: { code: 'UNAUTHENTICATED' } }] });
    return;
  }
  const { query, variables } = (await json(request)) as { query: string; variables: Record<string, unknown> };
  reply(response, 200, await graphql({ schema, source: query, variableValues: variables }));
}

function openWire(sockets: WebSocketServer, schema: GraphQLSchema) {
  const open = new Set<Socket>();
  const frozen = new Set<Socket>();
  let connections = 0;
  sockets.on('connection', (_, { socket }) => {
    connections += 1;
    open.add(socket);
    // A frozen one is as good as gone, and noticed to be once somebody comes back in its place.
    for (const each of frozen) each.destroy();
  });
  const subscriptions = useServer(
    {
      schema,
      onConnect: ({ connectionParams }) => connectionParams?.['authorization'] === `Bearer ${TINY_KEY}`,
    },
    sockets,
  );
  return {
    connections: () => connections,
    sockets: () => sockets.clients.size,
    cut(code?: number) {
      for (const socket of sockets.clients) {
        if (code === undefined) socket.terminate();
        else socket.close(code);
      }
    },
    freeze() {
      for (const socket of open) frozen.add(socket.pause());
    },
    async close() {
      // A frozen one would never answer the server's goodbye.
      for (const socket of open) socket.destroy();
      await subscriptions.dispose();
    },
  };
}

function graphqlErrorOf({ code, ...more }: { code: string; retryAfterMs?: number }): GraphQLError {
  return new GraphQLError(`refused with ${code}`, { extensions: { code, ...more } });
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
