import type { GraphQLArgument, GraphQLInputType, GraphQLObjectType } from 'graphql';
import { getNamedType, isInputObjectType, isListType, isNonNullType, isRequiredInputField } from 'graphql';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { buildSchema } from '../../src/graphql/schema/build-schema.ts';
import type { TestApp, TestTenant } from '../support/app.ts';
import { startApp } from '../support/app.ts';
import { greet, subscribe } from '../support/doors.ts';
import { QUICK } from '../support/jobs.ts';

// Every place of the schema where a client may put text, found by walking it: a field that is added
// is in here without anybody thinking of it.

interface Place {
  readonly where: string;
  /** The value of a whole argument that has `text` in this place. */
  readonly fill: (text: string) => unknown;
}

function placesOf(where: string, type: GraphQLInputType): readonly Place[] {
  if (isNonNullType(type)) return placesOf(where, type.ofType);
  if (isListType(type)) {
    return placesOf(`${where}.0`, type.ofType).map((place) => ({
      ...place,
      fill: (text) => [place.fill(text)],
    }));
  }
  if (!isInputObjectType(type)) {
    return ['Int', 'Float', 'Boolean'].includes(type.name) ? [] : [{ where, fill: (text) => text }];
  }
  const fields = Object.values(type.getFields());
  return fields.flatMap(({ name, type: inner }) => {
    const others = fields.filter((field) => field.name !== name && isRequiredInputField(field));
    const rest = Object.fromEntries(others.map((field) => [field.name, 'x']));
    return placesOf(`${where}.${name}`, inner).map((place) => ({
      ...place,
      fill: (text: string) => ({ ...rest, [name]: place.fill(text) }),
    }));
  });
}

interface Case extends Place {
  readonly field: string;
  readonly operation: string;
}

function casesOf(operation: string, root: GraphQLObjectType | null | undefined): readonly Case[] {
  const asks = ({ args }: { args: readonly GraphQLArgument[] }) => args.length > 0;
  return Object.values(root?.getFields() ?? {})
    .filter(asks)
    .flatMap((field) =>
      field.args.flatMap((arg) =>
        placesOf(arg.name, arg.type).map((place) => ({
          ...place,
          field: field.name,
          operation: `${operation} ($${arg.name}: ${String(arg.type)}) { ${field.name}(${arg.name}: $${arg.name}) { ${leafOf(field.type)} } }`,
        })),
      ),
    );
}

const leafOf = (type: Parameters<typeof getNamedType>[0]) => (getNamedType(type) ? '__typename' : '');

const schema = buildSchema();
const REQUESTS = [
  ...casesOf('query', schema.getQueryType()),
  ...casesOf('mutation', schema.getMutationType()),
];
const SUBSCRIPTIONS = casesOf('subscription', schema.getSubscriptionType());
const BAD: readonly (readonly [what: string, text: string])[] = [
  ['NUL', '\0'],
  ['a NUL in the middle', 'a\0b'],
  ['half of a surrogate pair', '\ud83c'],
  ['the other half', 'a\udf4e'],
  ['a pair the wrong way round', '\udf4e\ud83c'],
];

let app: TestApp;
let tenant: TestTenant;
let before: object;

beforeAll(async () => {
  app = await startApp();
  tenant = await app.createTenant();
  await tenant.client.submitJob(QUICK);
});

afterAll(() => app[Symbol.asyncDispose]());

/** All that the database holds, table by table. */
async function everything(): Promise<object> {
  const tables = await app.sql<{ name: string }>(
    // What the process tells of itself every two seconds is nobody's input.
    `select quote_ident(relname) as name from pg_class
     where relnamespace = 'public'::regnamespace and relkind = 'r' and relname <> 'process_figures' order by 1`,
  );
  const read = async ({ name }: { name: string }) => {
    const rows = await app.sql<{ row: string }>(`select t::text as row from ${name} t order by 1`);
    return [name, rows.map(({ row }) => row)] as const;
  };
  return Object.fromEntries(await Promise.all(tables.map(read)));
}

beforeEach(async () => {
  before = await everything();
});

it('finds the places', () => {
  const found = REQUESTS.map(({ field, where }) => `${field} ${where}`);
  expect(found).toContain('job id');
  expect(found).toContain('jobs filter.metadata.value');
  expect(found).toContain('jobSubmit input.metadata.0.key');
  expect(found).toContain('jobSubmit input.idempotencyKey');
  expect(found.length).toBeGreaterThanOrEqual(20);
});

describe('text that is no text is BAD_USER_INPUT and changes no row of any table', () => {
  it.each(REQUESTS.map((each) => [each.field, each.where, each] as const))(
    'over HTTP in %s: %s',
    async (_field, where, { operation, fill }) => {
      const argument = where.split('.')[0] ?? '';
      for (const [what, text] of BAD) {
        const { status, data, errors } = await app.request(tenant, operation, { [argument]: fill(text) });
        expect({ what, status, data }).toEqual({ what, status: 400, data: null });
        expect(errors.map(({ extensions }) => extensions['code'])).toEqual(['BAD_USER_INPUT']);
        expect(errors[0]?.message).toContain(where);
      }
      expect(await everything()).toEqual(before);
    },
  );

  it.each(SUBSCRIPTIONS.map((each) => [each.field, each.where, each] as const))(
    'over the WebSocket in %s: %s',
    async (_field, where, { operation, fill }) => {
      await using client = await greet(app.app.api.wsUrl, `Bearer ${tenant.apiKey}`);
      for (const [, text] of BAD) {
        subscribe(client, operation, { [where]: fill(text) });
        expect(await client.next()).toMatchObject({
          type: 'error',
          payload: [{ message: expect.stringContaining(where), extensions: { code: 'BAD_USER_INPUT' } }],
        });
      }
      expect(await everything()).toEqual(before);
    },
  );
});

describe('values beyond their type are BAD_USER_INPUT and change no row of any table', () => {
  const SUBMIT = 'mutation ($input: JobSubmitInput!) { jobSubmit(input: $input) { job { id } } }';

  it.each<[what: string, where: string, json: string]>([
    ['an infinite guidance', 'guidanceScale', '1e999'],
    ['a guidance below every number', 'guidanceScale', '-1e999'],
    ['a guidance in words', 'guidanceScale', '"NaN"'],
    ['a seed of 2^64', 'seed', '"18446744073709551616"'],
    ['a seed of 2^64 as a number', 'seed', '18446744073709551616'],
    ['a seed of -1', 'seed', '-1'],
    ['a seed of -1 as text', 'seed', '"-1"'],
    ['a seed in hex', 'seed', '"0x10"'],
    ['a seed in Arabic digits', 'seed', '"\u0661"'],
    ['steps beyond an Int', 'steps', '2147483648'],
    ['steps as text', 'steps', '"20"'],
    ['half a step', 'steps', '2.5'],
    ['a scheduler that nobody knows', 'scheduler', '"MAGIC"'],
    ['a scheduler named as a prototype', 'scheduler', '"__proto__"'],
    ['a scheduler in small letters', 'scheduler', '"ddim"'],
    ['a schedule that nobody knows', 'sigmaSchedule', '"LINEAR"'],
    ['a format that nobody knows', 'outputFormat', '"BMP"'],
    ['a prompt that is a list', 'prompt', '["a"]'],
    ['a prompt that is a number', 'prompt', '7'],
    ['metadata that is an object', 'metadata', '{"a":"b"}'],
    ['metadata without a value', 'metadata.0.value', '[{"key":"a"}]'],
    ['a field that nobody knows', 'colour', '"red"'],
    ['a field named as a prototype', 'constructor', '{}'],
  ])('%s', async (_what, where, json) => {
    const [field = ''] = where.split('.');
    const input = `{"prompt":"an apple","idempotencyKey":"k",${JSON.stringify(field)}:${json}}`;
    const response = await fetch(app.api, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${tenant.apiKey}` },
      body: `{"query":${JSON.stringify(SUBMIT)},"variables":{"input":${input}}}`,
    });
    const { errors } = (await response.json()) as {
      errors: { message: string; extensions: { code: string } }[];
    };
    expect(response.status).toBe(400);
    expect(new Set(errors.map(({ extensions }) => extensions.code))).toEqual(new Set(['BAD_USER_INPUT']));
    expect(errors.map(({ message }) => message).join()).toContain(field);
    expect(await everything()).toEqual(before);
  });
});
