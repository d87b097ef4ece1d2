import { describe, expect, it, vi } from 'vitest';
import { createManualClock, moveUntil } from '../../test/support/manual-clock.ts';
import { silentLog } from '../../test/support/silent-log.ts';
import { readManifest, readSchedulerConfig } from '../../test/parity/recorded.ts';
import { resolveSettings } from '../diffusion/index.ts';
import type { VariantVersion } from '../domains/catalog/index.ts';
import type { Fleet } from '../domains/fleet/index.ts';
import type { Completion } from '../domains/generation/index.ts';
import { CANCEL_CHANNEL, QUEUE_CHANNEL } from '../domains/generation/index.ts';
import type { ClaimedJob, Scheduling } from '../domains/scheduling/index.ts';
import { unarmed } from '../kernel/fault-points.ts';
import type { Id } from '../kernel/ids.ts';
import { createIds } from '../kernel/ids.ts';
import { systemRandom } from '../kernel/random.ts';
import type { BlobStore } from './blobs.ts';
import { startDispatcher } from './dispatcher.ts';
import type { Engines } from './engines.ts';
import type { Pictures } from './pictures.ts';
import { DEFAULT_DISPATCHER_SETTINGS } from './settings.ts';

const settled = () => new Promise((resolve) => void setImmediate(() => setImmediate(resolve)));

const manifest = readManifest();
const version = {
  id: 'ver_A' as Id<'version'>,
  number: 1,
  digest: 'x',
  manifest,
  schedulerConfig: readSchedulerConfig(),
} satisfies VariantVersion;
const job = {
  tenantId: 'ten_A',
  id: 'job_A',
  fence: 1,
  versionId: version.id,
  engineKey: 'pico:1',
  recipe: {
    settings: { ...resolveSettings(manifest, { prompt: 'x', seed: 1n }), previewEverySteps: 0 },
    prompt: { ids: [] },
    negativePrompt: { ids: [] },
  },
  rows: 1,
  totalSteps: 4,
  credits: 4,
  attempts: 0,
  recoveries: 0,
  nextSequence: 3,
  sequenceMax: 100,
} as unknown as ClaimedJob;

/** A dispatcher with one node, whose claims and calls are answered when a test says so. */
async function start() {
  const clock = createManualClock();
  const claims: PromiseWithResolvers<readonly ClaimedJob[]>[] = [];
  const infer = vi.fn<Engines['infer']>(() => new Promise(() => {}));
  const complete = vi.fn<Completion['complete']>(async () => true);
  const onRing = new Map<string, (id: string | null) => void>();
  const model = (part: string) => ({ name: `pico.${part}`, version: '1', maxBatch: 8, instances: 1 });
  const free = [{ id: 'node_A' as Id<'node'>, address: 'grpc://a:1', name: 'a', fence: 1 }];
  const dispatcher = startDispatcher({
    fleet: {
      hold: async () => free.splice(0),
      renew: async () => ['node_A'],
      release: async () => {},
      markReady: async () => {},
    } as unknown as Fleet,
    scheduling: {
      claim() {
        const claim = Promise.withResolvers<readonly ClaimedJob[]>();
        claims.push(claim);
        return claim.promise;
      },
      renew: async () => [],
    } as unknown as Scheduling,
    completion: { complete } as unknown as Completion,
    doorbell: {
      onRing(channel, ring) {
        onRing.set(channel, ring);
        return () => onRing.delete(channel);
      },
    },
    connector: {
      connect: () => ({
        engines: { infer },
        load: async () => {},
        unload: async () => {},
        describe: async () => ({
          server: 'x',
          version: '1',
          ready: true,
          models: ['text_encoder', 'unet', 'unet_cfg', 'vae_decoder'].map(model),
        }),
        [Symbol.asyncDispose]: async () => {},
      }),
    },
    findVersion: async () => version,
    blobs: {} as BlobStore,
    pictures: {} as Pictures,
    newId: createIds(clock, systemRandom),
    reach: unarmed,
    clock,
    random: systemRandom,
    logger: silentLog,
    settings: DEFAULT_DISPATCHER_SETTINGS,
  });
  await settled();
  return {
    dispatcher,
    clock,
    claims,
    infer,
    complete,
    ring: (channel: string, id: string) => onRing.get(channel)?.(id),
  };
}

describe('a dispatcher', () => {
  it('that is told to stop claims nothing more, and waits for the claim on its way', async () => {
    const { dispatcher, clock, claims, infer, ring } = await start();
    let hasStopped = false;
    const stopped = dispatcher.stopClaiming().finally(() => {
      hasStopped = true;
    });
    await settled();
    expect(hasStopped).toBe(false);

    claims[0]?.resolve([job]);
    await stopped;
    ring(QUEUE_CHANNEL, 'job_B');
    clock.advance(DEFAULT_DISPATCHER_SETTINGS.pollMs);
    await settled();

    expect(claims).toHaveLength(1);
    // What it holds goes on until the drain.
    expect(infer).toHaveBeenCalledOnce();
  });

  it('does not wait for ever for a claim that is never answered', async () => {
    const { dispatcher, clock } = await start();
    const stopped = dispatcher.stopClaiming(300);
    clock.advance(300);
    await expect(stopped).resolves.toBeUndefined();
  });

  it('ends although a call of it and its connection to the node hang', async () => {
    const { dispatcher, clock, claims, infer } = await start();
    claims[0]?.resolve([job]);
    await settled();
    expect(infer).toHaveBeenCalledOnce();
    await expect(moveUntil(clock, dispatcher[Symbol.asyncDispose]())).resolves.toBeUndefined();
    expect(clock.monotonicMs()).toBeLessThan(5 * 60_000);
  });

  it('hears a cancel that is rung before its claim is answered', async () => {
    const { claims, complete, infer, ring } = await start();
    ring(CANCEL_CHANNEL, job.id);
    claims[0]?.resolve([job]);
    await settled();

    expect(complete).toHaveBeenCalledWith(expect.objectContaining({ jobId: job.id }), {
      state: 'CANCELLED',
      credits: 0,
    });
    expect(infer).not.toHaveBeenCalled();
  });
});
