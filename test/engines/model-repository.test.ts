import { execFile, spawnSync } from 'node:child_process';
import { appendFile, cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isCi } from '../support/ci.ts';
import { copyPico, MODELS } from '../support/models.ts';

const PROGRAM = join(import.meta.dirname, '../../deploy/triton/make_repository.py');
const isInstalled = spawnSync('python3', ['--version']).status === 0;
const REASON = 'skipped: python3 is missing, which makes model repositories.';

if (!isInstalled) process.stderr.write(`${REASON}\n`);

interface Ending {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function make(...args: readonly string[]): Promise<Ending> {
  const ending = promisify(execFile)('python3', [PROGRAM, ...args]);
  return ending.then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: unknown) => error as Ending,
  );
}

describe.skipIf(!isInstalled && !isCi)('a model repository', () => {
  let folder: string;
  let out: string;
  beforeEach(async () => {
    if (!isInstalled) expect.unreachable(REASON);
    folder = await mkdtemp(join(tmpdir(), 'darkroom-repository-'));
    out = join(folder, 'repository');
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const models = async () => (await readdir(out)).filter((name) => !name.startsWith('.')).toSorted();

  it('has a model for every part, with the weights that its graph names', async () => {
    expect(await make('--out', out)).toMatchObject({ code: 0, stderr: '' });
    const parts = ['text_encoder', 'unet', 'unet_cfg', 'vae_decoder', 'vae_encoder'];
    const names = ['pico', 'pico-noto'].flatMap((bundle) => parts.map((part) => `${bundle}.${part}`));
    expect(await models()).toEqual(names.toSorted());
    expect((await readdir(join(out, 'pico-noto.vae_decoder', '1'))).toSorted()).toEqual([
      'diffusion_pytorch_model.safetensors',
      'model.onnx',
      'model.py',
    ]);
    const graph = await readFile(join(out, 'pico-noto.unet_cfg/1/model.onnx'));
    expect(graph.equals(await readFile(join(MODELS, 'pico-noto/unet/unet_cfg.onnx')))).toBe(true);
  });

  it('says in its configuration what the manifest says, without the batch dimension', async () => {
    await make(
      '--out',
      out,
      '--bundle',
      'pico',
      '--part',
      'text_encoder',
      '--instances',
      '2',
      '--threads',
      '3',
    );
    expect(await models()).toEqual(['pico.text_encoder']);
    expect(await readFile(join(out, 'pico.text_encoder/config.pbtxt'), 'utf8'))
      .toBe(`name: "pico.text_encoder"
backend: "python"
max_batch_size: 8
input [
  { name: "input_ids" data_type: TYPE_INT32 dims: [ 77 ] }
]
output [
  { name: "hidden_states" data_type: TYPE_FP32 dims: [ 77, 128 ] },
  { name: "hidden_states_clip_skip_2" data_type: TYPE_FP32 dims: [ 77, 128 ] }
]
instance_group [ { kind: KIND_CPU count: 2 } ]
dynamic_batching { }
parameters { key: "intra_op_num_threads" value { string_value: "3" } }
`);
  });

  it('gets the engines that were built for it, and is not made while one is missing', async () => {
    const engines = join(folder, 'engines');
    await mkdir(engines);
    await writeFile(join(engines, 'pico.vae_decoder.plan'), 'a plan');
    const args = ['--out', out, '--bundle', 'pico', '--backend', 'tensorrt', '--engines', engines];
    expect(await make(...args)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('there is no engine') as string,
    });
    expect(await readdir(folder)).toEqual(['engines']);

    expect(await make(...args, '--part', 'vae_decoder')).toMatchObject({ code: 0 });
    expect(await readFile(join(out, 'pico.vae_decoder/1/model.plan'), 'utf8')).toBe('a plan');
    const config = await readFile(join(out, 'pico.vae_decoder/config.pbtxt'), 'utf8');
    expect(config).toMatch(/^backend: "tensorrt"$[^]*KIND_GPU[^]*^default_model_filename: "model.plan"$/m);
  });

  it('is replaced as a whole, where it was made here', async () => {
    await make('--out', out, '--part', 'unet');
    expect(await make('--out', out, '--bundle', 'pico', '--part', 'vae_decoder')).toMatchObject({ code: 0 });
    expect(await models()).toEqual(['pico.vae_decoder']);
    expect(await readdir(folder)).toEqual(['repository']);
  });

  it.each(['a folder', 'a file'])('never takes the place of %s of somebody else', async (what) => {
    if (what === 'a folder') await mkdir(out);
    const kept = what === 'a folder' ? join(out, 'thesis') : out;
    await writeFile(kept, 'years of work');
    expect(await make('--out', out)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^make_repository: .* Choose another --out\.\n$/) as string,
    });
    expect(await readFile(kept, 'utf8')).toBe('years of work');
  });

  it('is not made from a damaged bundle: the line names the file, and the one before stays', async () => {
    const copy = await copyPico(join(folder, 'models'));
    const args = ['--out', out, '--models', copy, '--part', 'vae_decoder'];
    expect(await make(...args)).toMatchObject({ code: 0 });
    const file = 'text_encoder/text_encoder.onnx';
    await rm(join(copy, 'pico', file));
    await cp(join(MODELS, 'pico', file), join(copy, 'pico', file));
    await appendFile(join(copy, 'pico', file), '?');
    expect(await make(...args)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /^make_repository: the model file \S+text_encoder\.onnx is damaged/,
      ) as string,
    });
    expect(await models()).toEqual(['pico.vae_decoder']);
  });

  it.each([
    [['--models', '/nowhere'], 1, 'the models folder /nowhere is not there'],
    [['--bundle', 'nope'], 1, 'holds no bundle nope; it holds pico, pico-noto'],
    [['--part', 'nope'], 1, 'no part is left'],
    [['--backend', 'tensorrt'], 2, '--backend tensorrt needs --engines'],
    [['--instances', '0'], 2, 'a whole number from 1 is needed'],
  ])('asked for with %j ends with status %i and says: %s', async (args, code, text) => {
    expect(await make('--out', out, ...args)).toMatchObject({
      code,
      stderr: expect.stringContaining(text) as string,
    });
  });
});

describe('the start of a server', () => {
  const START = join(import.meta.dirname, '../../deploy/triton/start.sh');
  const env = { PATH: '/usr/bin:/bin', VENV: '/nowhere/venv' };

  it.each([
    [[], 'say which model repository to serve'],
    [['/nowhere'], '/nowhere is not there: make it with make_repository.py'],
    [[MODELS], '/nowhere/venv is not there: python3 -m venv'],
  ])('with %j is refused in one line that says what to do', (args, text) => {
    const { status, stderr } = spawnSync(START, args, { env, encoding: 'utf8' });
    expect(status).toBe(1);
    expect(stderr).toMatch(/^start\.sh: .+\n$/);
    expect(stderr).toContain(text);
  });
});
