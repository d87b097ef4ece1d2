import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestApp, TestTenant } from '../support/app.ts';
import { startApp } from '../support/app.ts';

let app: TestApp;
let tenant: TestTenant;

beforeAll(async () => {
  app = await startApp();
  tenant = await app.createTenant();
});

afterAll(() => app[Symbol.asyncDispose]());

const JOB = '{ job { id prompt negativePrompt metadata { key value } } userErrors { code } }';
const BY_VARIABLE = `mutation ($input: JobSubmitInput!) { jobSubmit(input: $input) ${JOB} }`;
// JSON's escapes are GraphQL's, and it escapes nothing that need not be.
const inDocument = (text: string) =>
  `mutation { jobSubmit(input: { prompt: ${JSON.stringify(text)}, negativePrompt: ${JSON.stringify(text)}, steps: 1,
    metadata: [{ key: "__proto__", value: ${JSON.stringify(text.slice(0, 500))} }] }) ${JOB} }`;

interface Submitted {
  readonly job: { readonly id: string; readonly prompt: string; readonly metadata: readonly object[] };
}

describe('text is kept byte for byte, however it is written down', () => {
  it.each([
    ['a thousand combining marks', `Z${'\u0351\u036b\u0343\u036a\u0302'.repeat(200)}`],
    ['what is composed and what is not', 'e\u0301 \u00e9 \u1e9b\u0323 \ufb01 \u2126 \u03a9'],
    [
      'text that runs the other way',
      '\u202e\u2066\u0639\u0631\u0628\u064a\u2069\u202c \u05e9\u05dc\u05d5\u05dd',
    ],
    ['joined emoji', '👩‍👩‍👧‍👦 🏴󠁧󠁢󠁳󠁣󠁴󠁿 ❤️ 👍🏽'],
    ['what has no width', 'a\u200bb\u200cc\u200dd\ufeffe\u00ad'],
    ['what is no character', '\uffff \ufffe \u{10ffff} \ufffd'],
    ['line breaks and controls', 'a\r\nb\nc\rd\te\u0001f\u007fg\u0085h\u2028i'],
    [
      'what other languages would run',
      `"'\`\\ \${1+1} {{1+1}} $& %s %00 <script> '; drop table job; -- =cmd()`,
    ],
    ['the names of prototypes', '__proto__ constructor toString'],
    ['spaces at both ends', '  an apple \n'],
  ])('%s', async (_what, text) => {
    const metadata = [{ key: '__proto__', value: text.slice(0, 500) }];
    const given = { prompt: text, negativePrompt: text, metadata };
    for (const [query, variables] of [
      [BY_VARIABLE, { input: { ...given, steps: 1 } }],
      [inDocument(text), {}],
    ] as const) {
      const { data, errors } = await app.request(tenant, query, variables);
      expect(errors).toEqual([]);
      const { job } = (data as unknown as { jobSubmit: Submitted }).jobSubmit;
      expect(job).toEqual({ id: job.id, ...given });
      const read = await app.request(
        tenant,
        'query ($id: ID!) { job(id: $id) { prompt negativePrompt metadata { key value } } }',
        { id: job.id },
      );
      expect(read.data).toEqual({ job: given });
      const [row] = await app.sql<{ bytes: string }>(
        `select encode(convert_to(recipe -> 'settings' ->> 'prompt', 'UTF8'), 'hex') as bytes from job where id = $1`,
        [job.id],
      );
      expect(row?.bytes).toBe(Buffer.from(text).toString('hex'));
    }
  });
});
