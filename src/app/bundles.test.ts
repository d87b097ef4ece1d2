import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { StartError } from '../kernel/errors.ts';
import type { Manifest } from '../kernel/manifest.ts';
import { parseManifest } from '../kernel/manifest.ts';
import type { Bundle } from '../platform/bundles/index.ts';
import { withSchedulerConfig } from './bundles.ts';

const PICO = resolve(import.meta.dirname, '../../deploy/models/pico');

interface Changes {
  readonly manifest?: Partial<Manifest>;
  readonly record?: object;
}

/** A folder with pico's scheduler configuration and manifest, changed. */
async function openChanged({
  manifest = {},
  record = {},
}: Changes): Promise<{ readonly bundle: Bundle } & AsyncDisposable> {
  const read = async (name: string): Promise<object> =>
    Object(JSON.parse(await readFile(join(PICO, name), 'utf8')));
  const directory = await mkdtemp(join(tmpdir(), 'bundle-'));
  await mkdir(join(directory, 'scheduler'));
  const config = { ...(await read('scheduler/scheduler_config.json')), ...record };
  await writeFile(join(directory, 'scheduler/scheduler_config.json'), JSON.stringify(config));
  const changed = parseManifest({ ...(await read('manifest.json')), ...manifest });
  return {
    bundle: { directory, manifest: changed, digest: 'none', partPath: (part) => join(directory, part) },
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true }),
  };
}

async function load(changes: Changes): Promise<readonly string[]> {
  await using changed = await openChanged(changes);
  const lines: string[] = [];
  const logger = pino({ level: 'warn' }, { write: (line) => lines.push(line) });
  await withSchedulerConfig(changed.bundle, logger);
  return lines;
}

describe('a bundle that is to be offered', () => {
  it('is taken without a word when its files agree', async () => {
    expect(await load({})).toEqual([]);
  });

  it("is refused at start, in words, when its record is not its family's", async () => {
    const loading = load({ record: { beta_start: 0.02, beta_end: 0.085, beta_schedule: 'linear' } });
    await expect(loading).rejects.toThrow(StartError);
    const failure = await loading.catch(String);
    for (const each of ['beta_start 0.02', 'beta_end 0.085', 'beta_schedule linear', 'scaled_linear']) {
      expect(failure).toContain(each);
    }
  });

  it('is refused at start when a job that leaves everything open could not run', async () => {
    const defaults = { scheduler: 'LCM', sigmaSchedule: 'DEFAULT', steps: 4, guidanceScale: 1 };
    await expect(load({ manifest: { defaults } })).rejects.toThrow('distilled');
    expect(await load({ manifest: { defaults, distilledFor: ['LCM'] } })).toEqual([]);
  });

  it('is offered, and its operator told, when its family is unknown', async () => {
    const [line, ...others] = await load({ manifest: { family: 'MINE' } });
    expect(line).toContain('No family is called MINE');
    expect(others).toEqual([]);
  });
});
