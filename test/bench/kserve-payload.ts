import type { ModelInferRequest, ModelInferResponse } from '../../src/platform/kserve/index.ts';
import { encodeTensor } from '../../src/platform/kserve/index.ts';

// One row of Stable Diffusion 1.5's U-Net with guidance: 537 KB there, 66 KB back.
const LATENTS = [1, 4, 64, 64];
const HIDDEN = [1, 77, 768];

const floats = (shape: readonly number[]) => {
  const length = shape.reduce((product, size) => product * size, 1);
  return encodeTensor(Float32Array.from({ length }, (_, i) => Math.sin(i)));
};

const INPUTS: Readonly<Record<string, readonly number[]>> = {
  sample: LATENTS,
  timestep: [1, 1],
  encoder_hidden_states: HIDDEN,
  uncond_hidden_states: HIDDEN,
  guidance: [1, 1],
};

/** What a step of one picture sends. */
export const REQUEST: ModelInferRequest = {
  model_name: 'sd15.unet_cfg',
  model_version: '1',
  inputs: Object.entries(INPUTS).map(([name, shape]) => ({ name, datatype: 'FP32', shape })),
  raw_input_contents: Object.values(INPUTS).map(floats),
};

/** What comes back. */
export const RESPONSE: ModelInferResponse = {
  model_name: 'sd15.unet_cfg',
  model_version: '1',
  id: '',
  outputs: [{ name: 'noise_pred', datatype: 'FP32', shape: LATENTS }],
  raw_output_contents: [floats(LATENTS)],
};
