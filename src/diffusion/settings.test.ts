import { describe, expect, it } from 'vitest';
import { readManifest } from '../../test/parity/recorded.ts';
import { BundleError } from './bundle-error.ts';
import { resolveSettings } from './settings.ts';

const manifest = readManifest();
const least = { prompt: 'a red apple', seed: 7n };

const broken = (defaults: object) => ({ ...manifest, defaults: { ...manifest.defaults, ...defaults } });

describe('settings', () => {
  it("that a job leaves out come from the bundle's manifest", () => {
    const expected = {
      ...least,
      negativePrompt: '',
      width: manifest.nativeSize,
      height: manifest.nativeSize,
      steps: manifest.defaults.steps,
      guidanceScale: manifest.defaults.guidanceScale,
      scheduler: 'DPM_SOLVER_MULTISTEP',
      sigmaSchedule: 'KARRAS',
      clipSkip: 1,
      imageCount: 1,
    };
    expect(resolveSettings(manifest, least)).toEqual(expected);
    expect(resolveSettings(manifest, { ...least, steps: null, scheduler: undefined })).toEqual(expected);
  });

  it('keep what a job says, zero included', () => {
    const said = { ...least, guidanceScale: 0, steps: 0, seed: 0n, width: 256 };
    expect(resolveSettings(manifest, said)).toMatchObject(said);
  });

  it("of a job that names a scheduler use that scheduler's own noise levels, unless it names others", () => {
    const named = { ...least, scheduler: 'DPM_SOLVER_MULTISTEP' } as const;
    expect(resolveSettings(manifest, named).sigmaSchedule).toBe('DEFAULT');
    expect(resolveSettings(manifest, { ...named, sigmaSchedule: 'KARRAS' }).sigmaSchedule).toBe('KARRAS');
  });

  it('cannot come from a manifest that names an unknown scheduler or schedule', () => {
    expect(() => resolveSettings(broken({ scheduler: 'EULER' }), least)).toThrow(BundleError);
    expect(() => resolveSettings(broken({ sigmaSchedule: 'karras' }), least)).toThrow(BundleError);
  });
});
