import { expect, it } from 'vitest';
import { parseExposition } from '../../../test/support/exposition.ts';
import type { ProcessReport } from '../../domains/operations/index.ts';
import { DomainError } from '../../kernel/errors.ts';
import type { Id } from '../../kernel/ids.ts';
import { createMetrics } from './create-metrics.ts';

const own = (): ProcessReport => ({
  id: 'prc_own' as Id<'process'>,
  host: 'here',
  roles: ['api', 'dispatcher'],
  figures: {
    upMs: 1,
    eventLoopDelayMs: 1,
    dispatcher: { rowsInFlight: 1, unetCalls: 2, unetRows: 3, busyMs: 1_500, gapMs: 250, gaps: 5 },
    api: { sockets: 6, socketBufferBytesMax: 7, eventsDelivered: 8 },
  },
});

const scrape = async (failure: unknown) =>
  parseExposition(await createMetrics({ operations: { report: () => Promise.reject(failure) }, own })());

it('tells of its own process while the database is away, and of the platform nothing', async () => {
  const metrics = await scrape(new DomainError('UNAVAILABLE', 'away'));

  const samplesOf = (name: string) => metrics.get(`darkroom_${name}`)?.samples;
  expect(samplesOf('database_up')).toEqual([['', 0]]);
  expect(samplesOf('queue_depth')).toEqual([]);
  expect(samplesOf('unet_busy_seconds_total')).toEqual([['process="prc_own"', 1.5]]);
  expect(samplesOf('engine_gap_seconds_total')).toEqual([['process="prc_own"', 0.25]]);
  expect(samplesOf('events_delivered_total')).toEqual([['process="prc_own"', 8]]);
  expect(samplesOf('process_info')).toEqual([['process="prc_own",host="here",roles="api,dispatcher"', 1]]);
  expect(metrics.has('process_cpu_seconds_total')).toBe(true);
});

it('does not take a fault of ours for a database that is away', async () => {
  await expect(scrape(new TypeError('a bug'))).rejects.toThrow('a bug');
});
