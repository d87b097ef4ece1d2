import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import { countServices } from '../support/counted-services.ts';
import type { Answer, AnswerError, Doors, TestSocket } from '../support/doors.ts';
import { greet, openDoors, post } from '../support/doors.ts';
import { HOSTILE_DOCUMENTS } from './hostile-documents.ts';
import type { HostileDocument } from './hostile-shapes.ts';
import { QUERY, SUBSCRIPTION } from './hostile-shapes.ts';

const CODES = [
  'BAD_USER_INPUT',
  'BAD_REQUEST',
  'GRAPHQL_PARSE_FAILED',
  'GRAPHQL_VALIDATION_FAILED',
  'OPERATION_RESOLUTION_FAILURE',
];
// Most take a few milliseconds; what would not be limited takes seconds or does not end.
const MS_MAX = 1_000;

let doors: Doors;
let key: string;
let asked: () => number;

beforeAll(async () => {
  doors = await openDoors({
    wrap(services) {
      const counted = countServices(services);
      ({ asked } = counted);
      return counted.services;
    },
  });
  key = doors.memory.addTenant();
});

afterAll(() => doors[Symbol.asyncDispose]());

/** The parameters of a request for `query`, as JSON; of several operations it asks for the first. */
function parametersOf({ variables = '{}', operationName }: HostileDocument, query: string): string {
  const meant = operationName ?? (/^\w+ Asked/.test(query) ? 'Asked' : null);
  return `{"query":${JSON.stringify(query)},"operationName":${JSON.stringify(meant)},"variables":${variables}}`;
}

/** What a socket says to a subscription that it refuses; the socket stays open. */
async function refusalBySocket(payload: string): Promise<readonly AnswerError[]> {
  await using client = await greet(doors.api.wsUrl, key);
  client.socket.send(`{"type":"subscribe","id":"s","payload":${payload}}`);
  const { type, payload: errors, ...rest } = await Promise.race([client.next(), refusalToStay(client)]);
  expect({ type, ...rest }).toEqual({ type: 'error', id: 's' });
  client.send({ type: 'ping' });
  expect(await client.next()).toEqual({ type: 'pong' });
  return errors as readonly AnswerError[];
}

async function refusalToStay({ closed }: TestSocket): Promise<never> {
  throw new Error(`The socket was closed with ${await closed}.`);
}

async function unasked<T>(work: () => Promise<T>): Promise<T> {
  const [before, startedMs] = [asked(), systemClock.monotonicMs()];
  const done = await work();
  expect(asked()).toBe(before);
  expect(systemClock.monotonicMs() - startedMs).toBeLessThan(MS_MAX);
  return done;
}

function expectRefusal(errors: readonly AnswerError[], { told }: HostileDocument): void {
  expect(errors.map(({ message }) => message)).toContainEqual(expect.stringMatching(told));
  expect(errors.length).toBeLessThanOrEqual(5);
  for (const { message, extensions } of errors) {
    expect(CODES).toContain(extensions.code);
    expect(Object.keys(extensions)).toEqual(['code']);
    expect(message).not.toMatch(/did you mean|node_modules|at \w+ \(/i);
    expect(message.length).toBeLessThan(600);
  }
}

it('holds sixty documents and more, each of them once', () => {
  const distinct = new Set(HOSTILE_DOCUMENTS.map(({ query }) => query(QUERY)));
  expect(distinct.size).toBeGreaterThanOrEqual(60);
  process.stdout.write(`hostile documents: ${HOSTILE_DOCUMENTS.length}\n`);
});

describe.each(HOSTILE_DOCUMENTS.map((document) => [document.what, document] as const))(
  '%s',
  (_what, document) => {
    const byHttp = (query: string): Promise<Answer> =>
      unasked(() => post(doors.api.httpUrl, key, parametersOf(document, query)));

    it('is refused over HTTP, and nothing runs', async () => {
      const { status, errors, data } = await byHttp(document.query(QUERY));
      expect({ status, data }).toEqual({ status: 400, data: undefined });
      expectRefusal(errors, document);
    });

    it('is refused over the WebSocket by the same rule, as a subscription and as it is', async () => {
      for (const host of [SUBSCRIPTION, QUERY]) {
        const query = document.query(host);
        const errors = await unasked(() => refusalBySocket(parametersOf(document, query)));
        expectRefusal(errors, document);
        // Word for word what the other door says to the same text.
        expect(errors).toEqual((await byHttp(query)).errors);
      }
    });
  },
);

describe('what the counter would see', () => {
  it.each([
    '{ viewer { balanceCredits } }',
    '{ job(id: "1") { id } }',
    '{ jobs { nodes { id } } }',
    '{ variants { id } }',
    '{ variant(id: "1") { id } }',
    '{ schedulers { name } }',
    'mutation { jobCancel(input: { jobId: "1" }) { job { id } } }',
    'mutation { jobSubmit(input: { prompt: "a" }) { job { id } } }',
  ])('over HTTP: %s', async (query) => {
    const before = asked();
    await post(doors.api.httpUrl, key, { query });
    expect(asked()).toBeGreaterThan(before);
  });

  it('over the WebSocket: a subscription', async () => {
    await using client = await greet(doors.api.wsUrl, key);
    const before = asked();
    client.send({
      type: 'subscribe',
      id: 'seen',
      payload: { query: `subscription { ${SUBSCRIPTION.field} { sequence } }` },
    });
    expect(await client.next()).toMatchObject({ type: 'next', id: 'seen' });
    expect(await client.next()).toEqual({ type: 'complete', id: 'seen' });
    expect(asked()).toBeGreaterThan(before);
  });
});
