import type { ChildProcess } from 'node:child_process';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SchedulerName } from '../../src/diffusion/index.ts';
import {
  advance,
  compilePlan,
  resolveSettings,
  SCHEDULER_NAMES,
  schedulerOf,
  startPicture,
} from '../../src/diffusion/index.ts';
import { readManifest, readSchedulerConfig } from './recorded.ts';
import type { Unfinished } from './resume.ts';
import { answer, finish } from './resume.ts';

const manifest = readManifest();
const schedulerConfig = readSchedulerConfig();

/** A run that has come to evaluation `from`, as a share of all of them. */
function runUntil(run: {
  readonly scheduler: SchedulerName;
  readonly curve: number;
  readonly steps: number;
  readonly share: number;
  readonly seed: bigint;
}): Unfinished {
  const { scheduler, steps, seed } = run;
  const curves = schedulerOf(scheduler).sigmaSchedules;
  const sigmaSchedule = curves[run.curve % curves.length] ?? 'DEFAULT';
  const settings = resolveSettings(manifest, {
    prompt: 'a red apple',
    seed,
    scheduler,
    sigmaSchedule,
    steps,
  });
  const plan = compilePlan({ manifest, schedulerConfig, settings, promptChunks: 1 });
  const picture = startPicture(plan, seed);
  const from = Math.round(run.share * plan.totalSteps);
  for (let i = 0; i < from; i += 1) advance(plan, picture, i, answer(plan, i));
  return { plan, picture, from };
}

describe('a checkpoint', () => {
  let other: ChildProcess;
  beforeAll(() => {
    other = fork(fileURLToPath(new URL('./resume-process.ts', import.meta.url)), {
      serialization: 'advanced',
    });
  });
  afterAll(() => other.kill());

  it.each(SCHEDULER_NAMES)('of %s goes on in another process to the very same latents', async (scheduler) => {
    const runs = fc.record({
      curve: fc.nat(4),
      steps: fc.integer({ min: 2, max: 12 }),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
      seed: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    });
    await fc.assert(
      fc.asyncProperty(runs, async (run) => {
        const whole = finish(runUntil({ scheduler, ...run, share: 0 }));
        other.send(runUntil({ scheduler, ...run }));
        const [resumed] = await once(other, 'message');
        expect(resumed).toEqual(whole);
      }),
      { numRuns: 12 },
    );
  });
});
