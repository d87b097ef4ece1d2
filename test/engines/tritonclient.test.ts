import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { connectKserve } from '../../src/platform/kserve/index.ts';
import { isCi } from '../support/ci.ts';
import { KSERVE_TARGETS } from '../support/kserve-targets.ts';
import { inferRequest } from '../support/node.ts';

const PYTHON = join(import.meta.dirname, '../../.venv/bin/python');
const SMOKE = join(import.meta.dirname, 'tritonclient_smoke.py');
const isInstalled = existsSync(PYTHON);
const REASON = `skipped: NVIDIA's Python client is missing. Make it with: python3 -m venv .venv && .venv/bin/pip install -r test/engines/requirements.txt`;

if (!isInstalled) process.stderr.write(`${REASON}\n`);

/** As `ramp` in the script: the same bits in both languages. */
function ramp(shape: readonly number[], sign = 1) {
  const length = shape.reduce((product, size) => product * size, 1);
  return { shape, data: Float32Array.from({ length }, (_, i) => (sign * ((i % 17) - 8)) / 8) };
}

describe("NVIDIA's Python client", () => {
  it.skipIf(!isInstalled && !isCi).for(KSERVE_TARGETS)(
    'finds in $name the Triton that it knows',
    async (target) => {
      if (!isInstalled) expect.unreachable(REASON);
      await using node = await target.start('text_encoder', 'unet_cfg');
      const address = node.address.replace('grpc://', '');
      const { stdout } = await promisify(execFile)(PYTHON, [SMOKE, address]);

      const sha256 = await noiseSha256(node.address);
      expect(JSON.parse(stdout)).toEqual({
        describe: {
          live: true,
          ready: true,
          server: target.isReal ? expect.stringMatching(/^darkroom-test-/) : 'darkroom',
          modelReady: true,
          unknownReady: false,
          inputs: ['sample', 'timestep', 'encoder_hidden_states', 'uncond_hidden_states', 'guidance'],
          maxBatch: 8,
          instances: [1],
          versionPolicy: { latest: { num_versions: 1 } },
          index: [
            ['pico.text_encoder', 'READY'],
            ['pico.unet_cfg', 'READY'],
          ],
        },
        infer: {
          id: 'smoke',
          shape: [2, 4, 16, 16],
          sha256,
          encoded: { hidden_states: [1, 77, 128], hidden_states_clip_skip_2: [1, 77, 128] },
        },
        share: { listed: true, sha256 },
        manage: {
          counts: [
            [4, 2],
            [2, 1],
          ],
          batches: [[2, 2]],
          unloaded: ['UNAVAILABLE', 'unloaded'],
          refused: {
            status: 'StatusCode.NOT_FOUND',
            message: "Request for unknown model: 'pico.unet_cfg' has no available versions",
          },
          ready: true,
          sha256,
          unknown: {
            status: 'StatusCode.INTERNAL',
            message: "failed to load 'nope', failed to poll from model repository",
          },
        },
        refusals: {
          unknown: {
            status: 'StatusCode.NOT_FOUND',
            message: "Request for unknown model: 'nope' is not found",
          },
          shape: {
            status: 'StatusCode.INVALID_ARGUMENT',
            message: expect.stringContaining("unexpected shape for input 'sample'") as string,
          },
          sharedMemory: {
            status: 'StatusCode.NOT_FOUND',
            message: "Unable to find system shared memory region: 'nope'",
          },
        },
      });
    },
  );
});

/** What our own client gets for the inputs of the script. */
async function noiseSha256(address: string): Promise<string> {
  await using client = connectKserve({ address, callTimeoutMs: 30_000 });
  const answer = await client.modelInfer(
    inferRequest('pico.unet_cfg', {
      sample: ramp([2, 4, 16, 16]),
      timestep: { shape: [2, 1], data: Float32Array.of(901, 11) },
      encoder_hidden_states: ramp([2, 77, 128]),
      uncond_hidden_states: ramp([2, 77, 128], -1),
      guidance: { shape: [2, 1], data: Float32Array.of(7.5, 1) },
    }),
  );
  return createHash('sha256')
    .update(answer.raw_output_contents[0] ?? new Uint8Array())
    .digest('hex');
}
