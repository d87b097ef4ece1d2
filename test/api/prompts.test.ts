import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunningNode } from '../../src/node/index.ts';
import { startNode } from '../../src/node/index.ts';
import { openBundles } from '../../src/platform/bundles/index.ts';
import type { TestApp, TestTenant } from '../support/app.ts';
import { MODELS, startApp } from '../support/app.ts';
import { QUICK, runJob } from '../support/jobs.ts';
import { silent } from '../support/node.ts';
import { givePrivateVariant } from '../support/variants.ts';

let node: RunningNode;
let app: TestApp;
let tenant: TestTenant;

beforeAll(async () => {
  node = await startNode({ bundles: await openBundles(MODELS), logger: silent });
  app = await startApp({ nodeAddress: node.address });
  tenant = await app.createTenant();
});

afterAll(async () => {
  await app[Symbol.asyncDispose]();
  await node[Symbol.asyncDispose]();
});

const apples = (count: number) => Array.from({ length: count }, () => 'apple').join(' ');

describe('promptPreview', () => {
  it('tells chunks, tokens and weights of both prompts', async () => {
    const preview = await tenant.client.previewPrompts({
      prompt: 'a (Red:1.5) apple BREAK a castle',
      negativePrompt: String.raw`[blurry] \(`,
    });
    const inShort = preview?.prompt.chunks.map(({ tokens }) =>
      tokens.map(({ text, weight }) => `${text} ${weight}`),
    );
    expect(inShort).toEqual([
      ['a 1', 'red 1.5', 'apple 1'],
      ['a 1', 'castle 1'],
    ]);
    expect(preview).toMatchObject({
      chunkCount: 2,
      chunksMax: 8,
      prompt: { tokenCount: 5, truncatedTokenCount: 0, truncatedText: null },
      negativePrompt: { chunks: [{ tokens: [{ weight: Math.fround(1 / 1.1) }, { text: '(' }] }] },
      userErrors: [],
    });
  });

  it('tells what would be cut', async () => {
    const preview = await tenant.client.previewPrompts({ prompt: `${apples(600)} Castle, caf\u00e9` });
    expect(preview).toMatchObject({ chunkCount: 8, userErrors: [] });
    expect(preview?.prompt).toMatchObject({
      tokenCount: 603,
      truncatedTokenCount: 3,
      truncatedText: 'castle , caf\u00e9',
    });
  });

  it('tells what jobSubmit would refuse, with the field and the finding', async () => {
    const input = { prompt: `${'('.repeat(4_000)}a`, negativePrompt: 'x'.repeat(8_193) };
    const preview = await tenant.client.previewPrompts(input);
    expect(preview?.userErrors).toMatchObject([
      { code: 'INVALID_INPUT', field: ['prompt'], finding: 'PROMPT_WEIGHT_OUT_OF_RANGE' },
      { code: 'INVALID_INPUT', field: ['negativePrompt'], finding: 'PROMPT_TOO_LONG' },
    ]);
    expect(preview?.negativePrompt).toMatchObject({ tokenCount: 0, chunks: [{ tokens: [] }] });
    const { data } = await app.request(
      tenant,
      'mutation ($input: JobSubmitInput!) { jobSubmit(input: $input) { userErrors { code field message finding } } }',
      { input },
    );
    expect(data).toEqual({ jobSubmit: { userErrors: preview?.userErrors } });
  });

  it("is null for a variant that is not there, and for one of another tenant's own", async () => {
    const owner = await app.createTenant();
    const variantId = await givePrivateVariant(app, owner);
    const preview = (asker: TestTenant, id: string) =>
      asker.client.previewPrompts({ prompt: 'a', variantId: id });
    expect(await preview(tenant, `var_${'7'.repeat(26)}`)).toBeNull();
    expect(await preview(owner, variantId)).toMatchObject({ variantId });
    expect(await preview(tenant, variantId)).toBeNull();
  });

  it('reads for the variant that it names, and names it', async () => {
    for (const { id } of await tenant.client.variants()) {
      const preview = await tenant.client.previewPrompts({ prompt: 'a', variantId: id });
      expect(preview?.variantId).toBe(id);
    }
  });
});

describe('a job', () => {
  const pixels = async (input: object) => {
    const { job } = await runJob(tenant, { ...QUICK, ...input });
    expect(job.state).toBe('SUCCEEDED');
    return job.images[0]?.pixelSha256;
  };

  it('is drawn with the weights of its prompt, and with a bracket behind a backslash as text', async () => {
    const plain = await pixels({ prompt: 'a red apple' });
    expect(await pixels({ prompt: 'a ([red]) apple' })).toBe(plain);
    expect(await pixels({ prompt: 'a (red:1.5) apple' })).not.toBe(plain);
    expect(await pixels({ prompt: String.raw`a \(red\) apple` })).not.toBe(plain);
  });

  it('is drawn with all chunks of a long prompt, whichever of its two is the longer', async () => {
    const long = await pixels({ prompt: `${apples(80)} castle` });
    expect(await pixels({ prompt: `${apples(80)} dog` })).not.toBe(long);
    expect(await pixels({ prompt: `${apples(80)} castle`, negativePrompt: 'blurry' })).not.toBe(long);
    await pixels({ prompt: 'a red apple', negativePrompt: apples(600) });
  });

  it('is drawn at its clip skip, and refused at one that the model has not', async () => {
    const last = await pixels({});
    expect(await pixels({ clipSkip: 1 })).toBe(last);
    expect(await pixels({ clipSkip: 2 })).not.toBe(last);
    await expect(tenant.client.submitJob({ ...QUICK, clipSkip: 3 })).rejects.toMatchObject({
      errors: [{ code: 'INVALID_INPUT', field: ['clipSkip'], finding: 'CLIP_SKIP_UNSUPPORTED' }],
    });
  });

  it('draws the same picture whoever shares its calls, with as many chunks or not', async () => {
    const alone = await pixels({ prompt: apples(80) });
    const together = await Promise.all([
      pixels({ prompt: apples(80) }),
      pixels({ prompt: apples(200) }),
      pixels({ prompt: 'a castle', negativePrompt: apples(80) }),
      pixels({ prompt: 'a castle' }),
    ]);
    expect(together[0]).toBe(alone);
  });
});
