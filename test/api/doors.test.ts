import { createConnection } from 'node:net';
import { text } from 'node:stream/consumers';
import { getIntrospectionQuery } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DomainError } from '../../src/kernel/errors.ts';
import type { Answer, Doors } from '../support/doors.ts';
import { openDoors, post, send } from '../support/doors.ts';

const SUBMIT = `mutation ($input: JobSubmitInput!) {
  jobSubmit(input: $input) { job { id prompt seed metadata { key value } } userErrors { code field message } }
}`;

let doors: Doors;
let key: string;
const ask = (query: string, variables?: object): Promise<Answer> =>
  post(doors.api.httpUrl, key, { query, variables });
const submit = (input: object) => ask(SUBMIT, { input: { prompt: 'a red apple', ...input } });

beforeAll(async () => {
  doors = await openDoors();
  key = doors.memory.addTenant();
});

afterAll(() => doors[Symbol.asyncDispose]());

describe('the HTTP door lets in', () => {
  it('nobody without a key in force: 401, before the body is looked at', async () => {
    for (const authorization of ['', 'Bearer dk_live_wrong', 'Basic abc']) {
      const answer = await post(doors.api.httpUrl, authorization, 'not even JSON');
      expect(answer).toMatchObject({ status: 401, code: 'UNAUTHENTICATED' });
    }
  });

  it('no key without the permission that the field names', async () => {
    const reader = doors.memory.addTenant(['JOBS_READ']);
    const { data, code } = await post(doors.api.httpUrl, reader, { query: '{ viewer { balanceCredits } }' });
    expect({ data, code }).toEqual({ data: null, code: 'FORBIDDEN' });
    const before = doors.memory.calls.length;
    const refused = await post(doors.api.httpUrl, reader, {
      query: SUBMIT,
      variables: { input: { prompt: 'a' } },
    });
    expect(refused.code).toBe('FORBIDDEN');
    expect(doors.memory.calls.length).toBe(before);
  });

  it.each([
    ['images { id }', 1],
    ['...Seen } } } fragment Seen on Job { ... on Job { ... { events { type }', 1],
    ['id events @include(if: true) { type }', 1],
    ['id images @skip(if: $isLean) { id } ... @include(if: $isRich) { events { type } }', 0],
  ])(
    'no mutation whose answer needs more than the key may, before it took effect: %s',
    async (part, refusals) => {
      const writer = doors.memory.addTenant(['JOBS_WRITE']);
      const before = doors.memory.calls.filter((call) => call === 'submit').length;
      const { data, errors } = await post(doors.api.httpUrl, writer, {
        query: `mutation ($isLean: Boolean = true, $isRich: Boolean = false) {
        first: jobSubmit(input: { prompt: "a" }) { job { id @skip(if: $isLean) state @include(if: $isRich) credits } }
        second: jobSubmit(input: { prompt: "b" }) { job { ${part} } } }`,
      });
      expect(errors.map(({ extensions: { code } }) => code)).toEqual(
        Array.from({ length: refusals }, () => 'FORBIDDEN'),
      );
      expect(data === null).toBe(refusals > 0);
      const ran = doors.memory.calls.filter((call) => call === 'submit').length - before;
      expect(ran).toBe(refusals > 0 ? 0 : 2);
    },
  );

  it('queries and mutations, and answers every field', async () => {
    const { data } = await submit({
      seed: '18446744073709551615',
      metadata: [{ key: '__proto__', value: 'e\u0301' }],
    });
    expect(data?.['jobSubmit']).toMatchObject({
      job: { seed: '18446744073709551615', metadata: [{ key: '__proto__', value: 'e\u0301' }] },
      userErrors: [],
    });
    const page = await ask(`{
      jobs(first: 100) { nodes { id state variantId prompt negativePrompt width height steps guidanceScale scheduler
        promptTokens promptIsTruncated negativePromptTokens negativePromptIsTruncated sigmaSchedule clipSkip seed imageCount previewEverySteps outputFormat metadata { key value } step totalSteps createdAt
        startedAt finishedAt error { code message } credits
        samplerOptions { ...Options } findings { code severity field message fix }
        images { id url urlExpiresAt thumbnailUrl width height seed sha256 pixelSha256 }
        events { sequence at type step totalSteps preview image { id url } error { code message } } }
        pageInfo { hasNextPage endCursor } }
      viewer { plan { name queuedJobsMax megapixelsMax stepsMax } tenant { id name state createdAt } key { id prefix last4 environment permissions createdAt } balanceCredits }
      variants { id name family visibility createdAt liveVersion { id number digest nativeSize sizeMultiple tokensMax clipSkips
        defaults { scheduler sigmaSchedule steps guidanceScale } } } }
      fragment Options on SamplerOptions {
        timestepSpacing timesteps sigmas eta sChurn sNoise solverOrder algorithm }`);
    expect(page.errors).toEqual([]);
    const more = await ask(`{
      variants { liveVersion { schedulers { isUsable findings { code severity field message fix } scheduler { name } } } }
      schedulers { name diffusersClass suits refuses sigmaSchedules isStochastic needsDistilled usefulSteps { min max }
        evaluations few: evaluations(steps: 4) options { name isList values min max default }
        aliases { name sigmaSchedule samplerOptions { ...Options } } } }
      fragment Options on SamplerOptions {
        timestepSpacing timesteps sigmas eta sChurn sNoise solverOrder algorithm }`);
    expect(more.errors).toEqual([]);
    const preview = await ask(`{
      promptPreview(input: { prompt: "a" }) { variantId chunkCount chunksMax userErrors { code field message finding }
        prompt { ...Reading } negativePrompt { ...Reading } } }
      fragment Reading on PromptReading { tokenCount truncatedTokenCount truncatedText
        chunks { tokens { id text endsWord weight } } }`);
    expect(preview.errors).toEqual([]);
    const quote = await ask(`{
      jobQuote(input: { prompt: "a" }) { evaluationsPerPicture credits etaMs
        findings { code severity field message fix } userErrors { code field message finding } } }`);
    expect(quote.errors).toEqual([]);
    expect(page.headers.get('cache-control')).toBe('no-store');
    expect(page.headers.get('x-request-id')).toMatch(/^req_/);
  });

  it('one call for the pictures of a whole page', async () => {
    doors.memory.addJob(key);
    doors.memory.addJob(key);
    const before = doors.memory.calls.length;
    await ask('{ jobs { nodes { images { id } events { type } } } }');
    expect(doors.memory.calls.slice(before).toSorted()).toEqual(['history', 'images', 'list']);
  });
});

describe('the HTTP door refuses as JSON', () => {
  const json = { 'content-type': 'application/json' };
  const body = JSON.stringify({ query: '{ __typename }' });

  it.each<[what: string, status: number, code: string, init: RequestInit]>([
    ['JSON that is none', 400, 'BAD_REQUEST', { headers: json, body: '{"query":' }],
    ['NaN', 400, 'BAD_REQUEST', { headers: json, body: '{"query":"{ __typename }","variables":{"a":NaN}}' }],
    ['a byte order mark', 400, 'BAD_REQUEST', { headers: json, body: `\ufeff${body}` }],
    [
      'bytes that are not UTF-8',
      400,
      'BAD_USER_INPUT',
      { headers: json, body: Buffer.from([0x7b, 0xff, 0x7d]) },
    ],
    ['a `__proto__` key', 400, 'BAD_REQUEST', { headers: json, body: '{"query":"{a}","__proto__":{"b":1}}' }],
    ['an empty body', 400, 'BAD_REQUEST', { headers: json, body: '' }],
    ['a batch', 400, 'BAD_REQUEST', { headers: json, body: `[${body},${body}]` }],
    [
      'another charset',
      415,
      'UNSUPPORTED_MEDIA_TYPE',
      { headers: { 'content-type': 'application/json; charset=utf-7' }, body },
    ],
    [
      'compression',
      415,
      'UNSUPPORTED_MEDIA_TYPE',
      { headers: { ...json, 'content-encoding': 'gzip' }, body },
    ],
    ['plain text', 415, 'UNSUPPORTED_MEDIA_TYPE', { headers: { 'content-type': 'text/plain' }, body }],
    ['a form', 415, 'UNSUPPORTED_MEDIA_TYPE', { body: new URLSearchParams({ query: '{ __typename }' }) }],
    ['a multipart form', 415, 'UNSUPPORTED_MEDIA_TYPE', { body: new FormData() }],
    [
      'a body too large',
      413,
      'PAYLOAD_TOO_LARGE',
      { headers: json, body: `{"query":"${'a'.repeat(1_000_000)}"}` },
    ],
  ])('%s', async (_what, status, code, init) => {
    const headers = { ...init.headers, authorization: key } as Record<string, string>;
    const answer = await send(doors.api.httpUrl, { method: 'POST', ...init, headers });
    expect(answer).toMatchObject({ status, code });
    expect(answer.text).not.toContain('node_modules');
  });

  it('a mutation or a subscription where it does not run', async () => {
    const mutation = encodeURIComponent('mutation { jobCancel(input: { jobId: "a" }) { job { id } } }');
    const headers = { authorization: key, 'apollo-require-preflight': '1' };
    const byGet = await send(`${doors.api.httpUrl}?query=${mutation}`, { headers });
    expect(byGet).toMatchObject({ status: 405, code: 'BAD_REQUEST' });
    const subscription = await ask('subscription { jobEvents(jobId: "a") { type } }');
    expect(subscription).toMatchObject({ status: 400, code: 'BAD_REQUEST' });
  });

  it('a request that any page could make a browser send', async () => {
    const answer = await send(`${doors.api.httpUrl}?query={__typename}`, { headers: { authorization: key } });
    expect(answer).toMatchObject({ status: 400, code: 'BAD_REQUEST' });
  });

  it('addresses that lead nowhere, and headers too large', async () => {
    const origin = new URL(doors.api.httpUrl).origin;
    expect(await send(`${origin}/nothing?secret=1`, {})).toMatchObject({ status: 404, code: 'NOT_FOUND' });
    const large = await send(doors.api.httpUrl, {
      headers: { authorization: key, 'x-large': 'a'.repeat(20_000) },
    });
    expect(large).toMatchObject({ status: 431, code: 'HEADERS_TOO_LARGE' });
  });

  it('bytes that are not HTTP', async () => {
    const socket = createConnection(doors.api.port, '127.0.0.1');
    socket.write('hello\r\n\r\n');
    expect(await text(socket)).toMatch(/^HTTP\/1.1 400 .*"code":"BAD_REQUEST"/s);
  });
});

describe('the HTTP door limits', () => {
  const deep = `{ ${'a { '.repeat(11)} b ${'}'.repeat(11)} }`;
  const bomb = Array.from(
    { length: 25 },
    (_, i) => `fragment f${i} on Job { ...f${i + 1} ...f${i + 1} }`,
  ).join(' ');

  it.each([
    ['depth', deep],
    ['depth far beyond the stack', `{ ${'a { '.repeat(8_000)} b ${'}'.repeat(8_000)} }`],
    ['aliases', `{ ${Array.from({ length: 16 }, (_, i) => `a${i}: job(id: "1") { id }`).join(' ')} }`],
    [
      'aliases of `__typename`',
      `{ ${Array.from({ length: 200 }, (_, i) => `a${i}: __typename`).join(' ')} }`,
    ],
    ['directives', `{ job(id: "1") { id ${'@include(if: true) '.repeat(6)} } }`],
    ['tokens', `{ ${'__typename '.repeat(1_001)} }`],
    [
      'cost',
      `{ ${Array.from({ length: 15 }, (_, i) => `a${i}: jobs(first: 100) { nodes { events { image { id } } } }`).join(' ')} }`,
    ],
    [
      'cost behind a variable',
      `query ($n: Int) { ${Array.from({ length: 15 }, (_, i) => `a${i}: jobs(first: $n) { nodes { events { image { id } } } }`).join(' ')} }`,
    ],
    ['fragments that multiply', `{ job(id: "1") { ...f0 } } ${bomb} fragment f25 on Job { id }`],
    [
      'fragments that go round',
      '{ job(id: "1") { ...a } } fragment a on Job { ...b } fragment b on Job { ...a }',
    ],
    [
      'nested lists',
      `{ jobs(filter: { states: ${'['.repeat(2_000)}${']'.repeat(2_000)} }) { nodes { id } } }`,
    ],
  ])('%s, and nothing runs', async (_what, query) => {
    const before = doors.memory.calls.length;
    const answer = await ask(query);
    expect(answer.status).toBe(400);
    expect(['GRAPHQL_VALIDATION_FAILED', 'GRAPHQL_PARSE_FAILED']).toContain(answer.code);
    expect(answer.errors.length).toBeLessThanOrEqual(5);
    expect(doors.memory.calls.length).toBe(before);
  });

  it('introspection, and gives no hints of names', async () => {
    for (const query of [getIntrospectionQuery(), '{ __type(name: "Job") { name } }']) {
      expect(await ask(query)).toMatchObject({ status: 400, code: 'GRAPHQL_VALIDATION_FAILED' });
    }
    const typo = await ask('{ job(id: "1") { idd } viewr { tenant } }');
    expect(typo).toMatchObject({ status: 400, code: 'GRAPHQL_VALIDATION_FAILED' });
    expect(typo.text).not.toContain('Did you mean');
    expect((await submit({ scheduler: 'EULER' })).text).not.toContain('Did you mean');
  });

  it('documents that do not say which operation is meant', async () => {
    const query = 'query A { __typename } query B { __typename }';
    for (const operationName of [undefined, 'C']) {
      const answer = await post(doors.api.httpUrl, key, { query, operationName });
      expect(answer).toMatchObject({ status: 400, code: 'OPERATION_RESOLUTION_FAILURE' });
    }
  });
});

describe('what a type cannot hold is BAD_USER_INPUT with HTTP 400', () => {
  it.each([
    ['a NUL', { prompt: 'a\0b' }],
    ['half of a surrogate pair', { negativePrompt: 'a\ud800' }],
    ['a NUL deep inside', { metadata: [{ key: 'a', value: '\0' }] }],
    ['a NUL in an id', { variantId: '\0' }],
    ['a negative seed', { seed: '-1' }],
    ['a seed of 2^64', { seed: '18446744073709551616' }],
    ['a fraction as seed', { seed: 1.5 }],
    ['a seed that JSON has rounded', { seed: 2 ** 53 }],
    ['an unknown scheduler', { scheduler: 'EULER' }],
    ['steps that are a fraction', { steps: 2.5 }],
    ['steps beyond an Int', { steps: 2 ** 31 }],
    ['no prompt', { prompt: null }],
    ['an unknown field', { promt: 'a' }],
  ])('as a variable: %s', async (_what, input) => {
    const before = doors.memory.calls.length;
    const answer = await submit(input);
    expect(answer).toMatchObject({ status: 400, code: 'BAD_USER_INPUT', data: undefined });
    expect(answer.text.length).toBeLessThan(2_000);
    expect(doors.memory.calls.length).toBe(before);
  });

  it('as a variable: a moment out of range, named by its path', async () => {
    const answer = await ask('query ($filter: JobFilterInput) { jobs(filter: $filter) { nodes { id } } }', {
      filter: { createdBefore: '0000-12-31T00:00:00Z' },
    });
    expect(answer).toMatchObject({ status: 400, code: 'BAD_USER_INPUT' });
    expect(answer.errors[0]?.message).toMatch(/"filter.createdBefore".*the years 1 to 9999.*not 0000-12-31/);
  });

  it('as a variable: lists nested beyond reason', async () => {
    const prompt = `${'['.repeat(40_000)}${']'.repeat(40_000)}`;
    const body = `{"query":${JSON.stringify(SUBMIT)},"variables":{"input":{"prompt":${prompt}}}}`;
    expect(await post(doors.api.httpUrl, key, body)).toMatchObject({ status: 400, code: 'BAD_USER_INPUT' });
  });

  it.each([
    ['a NUL', 'prompt: "a\\u0000"'],
    ['a seed of 2^64', 'prompt: "a", seed: 18446744073709551616'],
    ['a negative seed', 'prompt: "a", seed: -1'],
    ['an infinite guidance', 'prompt: "a", guidanceScale: 1e999'],
    ['an unknown scheduler', 'prompt: "a", scheduler: EULER'],
    ['steps that are a fraction', 'prompt: "a", steps: 2.5'],
    ['no prompt', 'steps: 2'],
  ])('in the document: %s', async (_what, input) => {
    const answer = await ask(`mutation { jobSubmit(input: { ${input} }) { job { id } } }`);
    expect(answer).toMatchObject({ status: 400, code: 'BAD_USER_INPUT' });
  });

  it('a page size out of range too, whichever way it comes', async () => {
    for (const first of [0, -1, 101, 1_000_000]) {
      expect((await ask(`{ jobs(first: ${first}) { nodes { id } } }`)).code).toBe('BAD_USER_INPUT');
    }
  });
});

describe('errors', () => {
  it('that the caller can mend are userErrors with field paths, all of them at once', async () => {
    const { data, errors, status } = await submit({ prompt: ' ', steps: 0, variantId: 'var_unknown' });
    expect({ status, errors }).toEqual({ status: 200, errors: [] });
    expect(data?.['jobSubmit']).toEqual({
      job: null,
      userErrors: [
        { code: 'INVALID_INPUT', field: ['prompt'], message: 'Say what to draw.' },
        { code: 'INVALID_INPUT', field: ['steps'], message: 'At least one step.' },
        { code: 'NOT_FOUND', field: ['variantId'], message: 'There is no such variant.' },
      ],
    });
  });

  it('are the same for what is missing and for what is another tenant’s', async () => {
    const other = doors.memory.addJob(doors.memory.addTenant());
    const cancel = (jobId: string) =>
      ask(
        'mutation ($jobId: ID!) { jobCancel(input: { jobId: $jobId }) { job { id } userErrors { code field message } } }',
        { jobId },
      );
    expect((await cancel(other.id)).text).toBe((await cancel('job_0')).text);
    expect((await ask('query ($id: ID!) { job(id: $id) { id } }', { id: other.id })).data).toEqual({
      job: null,
    });
  });

  it('of our own are masked, and found in the log under the request id', async () => {
    try {
      doors.memory.breakWith(new Error('password=hunter2 on db-7'));
      const answer = await ask('{ job(id: "1") { id } }');
      expect(answer.errors).toMatchObject([{ message: 'Internal error.', extensions: { code: 'INTERNAL' } }]);
      expect(answer.text).not.toContain('hunter2');
      const requestId = String(answer.errors[0]?.extensions['requestId']);
      expect(requestId).toBe(answer.headers.get('x-request-id'));
      const line = doors
        .log()
        .split('\n')
        .find((each) => each.includes(requestId) && each.includes('hunter2'));
      expect(line).toBeDefined();
    } finally {
      doors.memory.breakWith(null);
    }
  });

  it('that pass say when to try again', async () => {
    try {
      doors.memory.breakWith(
        new DomainError('UNAVAILABLE', 'The database is away.', { retryAfterMs: 1_500 }),
      );
      const { errors } = await ask('{ job(id: "1") { id } }');
      expect(errors[0]).toMatchObject({
        message: 'The database is away.',
        extensions: { code: 'UNAVAILABLE', retryAfterMs: 1_500 },
      });
    } finally {
      doors.memory.breakWith(null);
    }
  });

  it('show no secret of a request in the log', async () => {
    await send(`${new URL(doors.api.httpUrl).origin}/objects/a?signature=s3cret`, {
      headers: { authorization: key },
    });
    expect(doors.log()).toContain('/objects/a');
    expect(doors.log()).not.toContain('s3cret');
    expect(doors.log()).not.toContain(key);
  });
});
