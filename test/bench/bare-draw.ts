import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';

// A process that draws pictures with ONNX Runtime and nothing else, as a reference: text encoder, as
// many guided steps as a job takes, decoder, one picture at a time. It is told how many, and says when
// it is done. The arithmetic between the steps is there for the numbers to stay what a model expects.

const [, , directory = '', steps = ''] = process.argv;

const TOKENS = 77;
const SIDE = 16;
const CHANNELS = 4;
const GUIDANCE = 4;
const SIGMA_MAX = 14.6;
const SIGMA_MIN = 0.03;
const SCALING_FACTOR = 0.182_15;

const open = (file: string) =>
  InferenceSession.create(join(directory, file), {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  });
const textEncoder = await open('text_encoder/text_encoder.onnx');
const unet = await open('unet/unet_cfg.onnx');
const decoder = await open('vae/vae_decoder.onnx');

async function draw(): Promise<void> {
  const ids = Int32Array.from({ length: 2 * TOKENS }, (_, i) => (i % TOKENS) * 7);
  const { hidden_states: hidden } = await textEncoder.run({
    input_ids: new Tensor('int32', ids, [2, TOKENS]),
  });
  if (!(hidden?.data instanceof Float32Array)) throw new Error('There are no hidden states.');
  const width = hidden.dims[2] ?? 0;
  const half = TOKENS * width;
  const states = (row: number) =>
    float(hidden.data.slice(row * half, (row + 1) * half) as Float32Array, [1, TOKENS, width]);
  const [condition, uncondition] = [states(0), states(1)];

  const latents = Float32Array.from(
    { length: CHANNELS * SIDE * SIDE },
    (_, i) => Math.sin(i * 12.9898) * SIGMA_MAX,
  );
  const count = Number(steps);
  for (let i = 0; i < count; i += 1) {
    const [sigma, next] = [sigmaAt(i / count), sigmaAt((i + 1) / count)];
    const scale = 1 / Math.hypot(sigma, 1);
    const { noise_pred: noise } = await unet.run({
      sample: float(
        latents.map((x) => x * scale),
        [1, CHANNELS, SIDE, SIDE],
      ),
      timestep: float(Float32Array.of(999 * (1 - i / count)), [1, 1]),
      encoder_hidden_states: condition,
      uncond_hidden_states: uncondition,
      guidance: float(Float32Array.of(GUIDANCE), [1, 1]),
    });
    const derivative = noise?.data;
    if (!(derivative instanceof Float32Array)) throw new Error('There is no noise prediction.');
    for (let j = 0; j < latents.length; j += 1)
      latents[j] = (latents[j] ?? 0) + (next - sigma) * (derivative[j] ?? 0);
  }
  await decoder.run({
    latents: float(
      latents.map((x) => x / SCALING_FACTOR),
      [1, CHANNELS, SIDE, SIDE],
    ),
  });
}

function sigmaAt(progress: number): number {
  return SIGMA_MAX * (SIGMA_MIN / SIGMA_MAX) ** progress;
}

function float(data: Float32Array, shape: readonly number[]): Tensor {
  return new Tensor('float32', data, shape);
}

process.on('message', async (count: number) => {
  for (let i = 0; i < count; i += 1) await draw();
  process.send?.('done');
});
process.send?.('ready');
