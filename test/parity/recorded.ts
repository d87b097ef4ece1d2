import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { Manifest } from '../../src/kernel/manifest.ts';
import { parseManifest } from '../../src/kernel/manifest.ts';
import type { SchedulerConfig, Tokenizer } from '../../src/diffusion/index.ts';
import { openTokenizer, parseSchedulerConfig } from '../../src/diffusion/index.ts';

export const BUNDLE = resolve(import.meta.dirname, '../../deploy/models/pico');
const FIXTURES = resolve(import.meta.dirname, 'fixtures');

export function readFixture(name: string): Buffer {
  return readFileSync(resolve(FIXTURES, name));
}

/** The shape is the recording script's promise; a wrong one fails the test that reads it. */
export function readCases<Case>(name: string): readonly Case[] {
  return JSON.parse(readFixture(name).toString('utf8'));
}

/** All the arrays of a recording end to end; a case says where its own begin. */
export function readFloats(name: string): Float32Array {
  const bytes = gunzipSync(readFixture(name));
  return new Float32Array(new Uint8Array(bytes).buffer);
}

/** Values of a frame of latents, 4x8x8. */
export const FRAME_SIZE = 4 * 8 * 8;

/** Frames as `write_frames` packs them: the largest value in float32, then 16-bit fractions of it. */
export function readFrames(name: string): (index: number) => Float32Array {
  const bytes = Uint8Array.from(gunzipSync(readFixture(name)));
  const stride = 4 + 2 * FRAME_SIZE;
  const view = new DataView(bytes.buffer);
  return (index) => {
    const largest = view.getFloat32(index * stride, true);
    const start = index * stride + 4;
    return Float32Array.from(
      { length: FRAME_SIZE },
      (_, k) => (view.getInt16(start + 2 * k, true) / 32767) * largest,
    );
  };
}

export function readManifest(): Manifest {
  return parseManifest(readBundleJson('manifest.json'));
}

export function readSchedulerConfig(overrides: object = {}): SchedulerConfig {
  return parseSchedulerConfig({ ...Object(readBundleJson('scheduler/scheduler_config.json')), ...overrides });
}

/** The bundle's own, with `overrides` in its configuration. */
export function readTokenizer(overrides: object = {}): Tokenizer {
  return openTokenizer({
    vocab: readBundleJson('tokenizer/vocab.json'),
    merges: readFileSync(resolve(BUNDLE, 'tokenizer/merges.txt'), 'utf8'),
    config: { ...Object(readBundleJson('tokenizer/tokenizer_config.json')), ...overrides },
  });
}

function readBundleJson(path: string): unknown {
  return JSON.parse(readFileSync(resolve(BUNDLE, path), 'utf8'));
}

/** Largest absolute difference of two arrays of one length. */
export function maxError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let worst = 0;
  for (let k = 0; k < expected.length; k += 1) {
    const error = Math.abs((actual[k] ?? 0) - (expected[k] ?? 0));
    // Written so that NaN counts as the worst there is.
    if (!(error <= worst)) worst = error;
  }
  return worst;
}

export function maxAbs(values: Float32Array): number {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}
