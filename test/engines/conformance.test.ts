import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KserveClient, ModelInferRequest, ModelInferResponse } from '../../src/platform/kserve/index.ts';
import { connectKserve, decodeTensor, encodeTensor, status } from '../../src/platform/kserve/index.ts';
import { KSERVE_TARGETS } from '../support/kserve-targets.ts';
import { inferRequest, openPico, stackRows, unetRow, type TestTensors } from '../support/node.ts';

const UNET = 'pico.unet_cfg';
const ENCODER = 'pico.text_encoder';
const tokens: TestTensors = {
  input_ids: { shape: [2, 77], data: Int32Array.from({ length: 154 }, (_, i) => (i * 613) % 49_000) },
};

describe.each(KSERVE_TARGETS)('a KServe v2 server: $name', ({ start }) => {
  const stack = new AsyncDisposableStack();
  let client: KserveClient;
  beforeAll(async () => {
    const server = stack.use(await start('text_encoder', 'unet_cfg'));
    client = stack.use(connectKserve({ address: server.address, callTimeoutMs: 30_000 }));
  });
  afterAll(() => stack.disposeAsync());

  describe('says what it is and what it serves', () => {
    it('is live and ready, and has a name and a version', async () => {
      expect(await client.serverLive()).toBe(true);
      expect(await client.serverReady()).toBe(true);
      const metadata = await client.serverMetadata();
      expect(metadata.name).not.toBe('');
      expect(metadata.version).toMatch(/^\d+\.\d+/);
      expect(metadata.extensions).toContain('model_configuration');
    });

    it('has a served model ready in its one version, and an unknown one not ready without an error', async () => {
      expect(await client.modelReady({ name: UNET })).toBe(true);
      expect(await client.modelReady({ name: UNET, version: '1' })).toBe(true);
      expect(await client.modelReady({ name: UNET, version: '9' })).toBe(false);
      expect(await client.modelReady({ name: 'nope' })).toBe(false);
    });

    it('lists every model as READY', async () => {
      const index = await client.repositoryIndex();
      for (const name of [UNET, ENCODER])
        expect(index).toContainEqual({ name, version: '1', state: 'READY', reason: '' });
    });

    it('describes inputs and outputs with the batch in the metadata and without it in the configuration', async () => {
      const metadata = await client.modelMetadata({ name: UNET });
      expect(metadata).toMatchObject({ name: UNET, versions: ['1'] });
      expect(metadata.inputs).toContainEqual({ name: 'sample', datatype: 'FP32', shape: [-1, 4, -1, -1] });
      expect(metadata.outputs).toEqual([{ name: 'noise_pred', datatype: 'FP32', shape: [-1, 4, -1, -1] }]);

      const config = await client.modelConfig({ name: ENCODER, version: '1' });
      expect(config).toMatchObject({
        name: ENCODER,
        max_batch_size: 8,
        input: [{ name: 'input_ids', data_type: 'TYPE_INT32', dims: [77] }],
        version_policy: { latest: { num_versions: 1 } },
        instance_group: [{ kind: 'KIND_CPU' }],
      });
      expect(config.instance_group[0]?.count).toBeGreaterThan(0);
    });
  });

  describe('infers', () => {
    it.each([
      ['text_encoder', tokens],
      ['unet_cfg', stackRows([0, 1, 2].map((row) => unetRow(row)))],
    ])('%s exactly as ONNX Runtime does by itself', async (part, inputs) => {
      const answer = await client.modelInfer(inferRequest(`pico.${part}`, inputs));
      const direct = await runDirectly(part, inputs);
      expect(answer.outputs.map(({ name }) => name).toSorted()).toEqual(Object.keys(direct).toSorted());
      for (const [name, expected] of Object.entries(direct)) {
        expect(answer.outputs.find((each) => each.name === name)?.shape).toEqual(expected.dims);
        expect(distance(outputOf(answer, name), expected.data as Float32Array)).toBeLessThan(1e-6);
      }
    });

    it('rows of a batch, at different steps and guidances, as if each were alone', async () => {
      const rows = [0, 1, 2].map((row) => unetRow(row));
      const together = outputOf(await client.modelInfer(inferRequest(UNET, stackRows(rows))), 'noise_pred');
      const alone = await Promise.all(rows.map((row) => client.modelInfer(inferRequest(UNET, row))));
      const joined = Float32Array.from(alone.flatMap((answer) => [...outputOf(answer, 'noise_pred')]));
      expect(distance(together, joined)).toBeLessThan(1e-5);
      expect(distance(joined.subarray(0, 1024), joined.subarray(1024, 2048))).toBeGreaterThan(0.1);
    });

    it('only the outputs that were asked for, and echoes model, version and request id', async () => {
      const answer = await client.modelInfer({
        ...inferRequest(ENCODER, tokens),
        id: 'r-1',
        outputs: [{ name: 'hidden_states_clip_skip_2' }],
      });
      expect(answer).toMatchObject({ model_name: ENCODER, model_version: '1', id: 'r-1' });
      expect(answer.outputs).toMatchObject([
        { name: 'hidden_states_clip_skip_2', datatype: 'FP32', shape: [2, 77, 128] },
      ]);
      expect(answer.raw_output_contents).toHaveLength(1);
    });

    it('typed contents as it does raw ones', async () => {
      const raw = inferRequest(ENCODER, tokens);
      const int_contents = [...(tokens.input_ids?.data ?? [])];
      const typed = await client.modelInfer({
        model_name: ENCODER,
        inputs: raw.inputs.map((input) => ({ ...input, contents: { int_contents } })),
      });
      const expected = outputOf(await client.modelInfer(raw), 'hidden_states');
      expect(outputOf(typed, 'hidden_states')).toEqual(expected);
    });
  });

  describe('refuses with the code and the words of Triton', () => {
    const good: ModelInferRequest = { ...inferRequest(UNET, unetRow(0)), id: 'r-2' };
    const raw = good.raw_input_contents ?? [];
    const withInput = (change: object) => ({
      ...good,
      inputs: good.inputs.map((input, at) => (at === 0 ? { ...input, ...change } : input)),
    });
    const replaceRaw = (at: number, bytes: Uint8Array) => raw.map((each, i) => (i === at ? bytes : each));
    const nine = inferRequest(UNET, stackRows(Array.from({ length: 9 }, (_, row) => unetRow(row))));
    const of = `for model '${UNET}'`;

    it.each<readonly [string, ModelInferRequest, status, string]>([
      [
        'an unknown model',
        { ...good, model_name: 'nope' },
        status.NOT_FOUND,
        "Request for unknown model: 'nope' is not found",
      ],
      [
        'an unknown version',
        { ...good, model_version: '9' },
        status.NOT_FOUND,
        `Request for unknown model: '${UNET}' version 9 is not found`,
      ],
      [
        'a version that is not a number',
        { ...good, model_version: 'x' },
        status.INVALID_ARGUMENT,
        "failed to get model version from specified version string 'x' (details: stol), version should be an integral value > 0",
      ],
      [
        'a wrong shape',
        withInput({ shape: [1, 3, 16, 16] }),
        status.INVALID_ARGUMENT,
        `[request id: r-2] unexpected shape for input 'sample' ${of}. Expected [-1,4,-1,-1], got [1,3,16,16]. NOTE: `,
      ],
      [
        'a wrong rank',
        withInput({ shape: [1, 4, 16] }),
        status.INVALID_ARGUMENT,
        `unexpected shape for input 'sample' ${of}. Expected [-1,4,-1,-1], got [1,4,16]. NOTE: `,
      ],
      [
        'a tensor without dimensions',
        withInput({ shape: [] }),
        status.INVALID_ARGUMENT,
        `input 'sample' has no shape but model requires batch dimension for '${UNET}'`,
      ],
      [
        'a size left open',
        withInput({ shape: [1, 4, -1, 16] }),
        status.INVALID_ARGUMENT,
        `All input dimensions should be specified for input 'sample' ${of}, got [1,4,-1,16]`,
      ],
      [
        'a wrong type',
        withInput({ datatype: 'FP16' }),
        status.INVALID_ARGUMENT,
        `[request id: r-2] inference input 'sample' data-type is 'FP16', but model '${UNET}' expects 'FP32'`,
      ],
      [
        'a missing input',
        { ...good, id: '', inputs: good.inputs.slice(0, 4), raw_input_contents: raw.slice(0, 4) },
        status.INVALID_ARGUMENT,
        `[request id: <id_unknown>] expected 5 inputs but got 4 inputs ${of}. Got input(s) [`,
      ],
      [
        'an unknown input',
        withInput({ name: 'zzz' }),
        status.INVALID_ARGUMENT,
        `unexpected inference input 'zzz' ${of}`,
      ],
      [
        'an input given twice',
        withInput({ name: 'timestep' }),
        status.INVALID_ARGUMENT,
        "input 'timestep' already exists in request",
      ],
      [
        'more rows than the maximum',
        nine,
        status.INVALID_ARGUMENT,
        `inference request batch-size must be <= 8 for '${UNET}'`,
      ],
      [
        'inputs of different rows',
        {
          ...good,
          inputs: good.inputs.map((input, at) => (at === 1 ? { ...input, shape: [2, 1] } : input)),
          raw_input_contents: replaceRaw(1, encodeTensor(Float32Array.of(1, 2))),
        },
        status.INVALID_ARGUMENT,
        `input 'timestep' batch size does not match other inputs for '${UNET}'`,
      ],
      [
        'bytes that are not those of the shape',
        { ...good, raw_input_contents: replaceRaw(0, new Uint8Array(40)) },
        status.INVALID_ARGUMENT,
        `[request id: r-2] input byte size mismatch for input 'sample' ${of}. Expected 4096, got 40`,
      ],
      [
        'an input without bytes',
        { ...good, raw_input_contents: raw.slice(0, 4) },
        status.INVALID_ARGUMENT,
        `unable to find data for input tensor 'guidance' ${of} in request.`,
      ],
      [
        'an input with both raw and typed contents',
        withInput({ contents: { fp32_contents: [1] } }),
        status.INVALID_ARGUMENT,
        `contents field must not be specified when using raw_input_contents for 'sample' ${of}`,
      ],
      [
        'typed contents of another type',
        { ...withInput({ contents: { int_contents: [1] } }), raw_input_contents: [] },
        status.INVALID_ARGUMENT,
        'unexpected explicit tensor data',
      ],
      [
        'an unknown output',
        { ...good, outputs: [{ name: 'zzz' }] },
        status.INVALID_ARGUMENT,
        `unexpected inference output 'zzz' ${of}`,
      ],
    ])('%s', async (_, request, code, text) => {
      await expect(client.modelInfer(request)).rejects.toMatchObject({
        status: code,
        retryable: false,
        message: expect.stringContaining(text) as string,
      });
    });

    it('an unknown model, in metadata and configuration', async () => {
      const unknown = {
        status: status.NOT_FOUND,
        message: "Request for unknown model: 'nope' is not found",
      };
      await expect(client.modelMetadata({ name: 'nope' })).rejects.toMatchObject(unknown);
      await expect(client.modelConfig({ name: 'nope' })).rejects.toMatchObject(unknown);
    });

    it('inputs on which the graph itself fails, as INTERNAL and not to be retried', async () => {
      const odd = inferRequest(UNET, unetRow(0, 15));
      await expect(client.modelInfer(odd)).rejects.toMatchObject({
        status: status.INTERNAL,
        retryable: false,
        message: expect.stringContaining('onnx') as string,
      });
      expect(await client.modelInfer(good)).toMatchObject({ model_name: UNET });
    });
  });
});

async function runDirectly(part: string, inputs: TestTensors): Promise<InferenceSession.OnnxValueMapType> {
  const session = await InferenceSession.create((await openPico()).partPath(part), { intraOpNumThreads: 1 });
  const feeds = Object.entries(inputs).map(([name, { shape, data }]): [string, Tensor] => [
    name,
    data instanceof Int32Array ? new Tensor('int32', data, shape) : new Tensor('float32', data, shape),
  ]);
  return session.run(Object.fromEntries(feeds));
}

function outputOf(answer: ModelInferResponse, name: string): Float32Array {
  const at = answer.outputs.findIndex((each) => each.name === name);
  const bytes = answer.raw_output_contents[at] ?? new Uint8Array();
  return decodeTensor('FP32', answer.outputs[at]?.shape ?? [], bytes) ?? new Float32Array();
}

/** The largest difference between two tensors; infinite when their lengths differ. */
function distance(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) return Infinity;
  return a.reduce((largest, value, i) => Math.max(largest, Math.abs(value - (b[i] ?? Infinity))), 0);
}
