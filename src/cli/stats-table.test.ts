import { expect, it } from 'vitest';
import type { PlatformStats } from '../domains/operations/index.ts';
import { statsTable } from './stats-table.ts';

const STATS: PlatformStats = {
  queueDepth: 12,
  rowsInFlight: 8,
  meanBatch: 3.14651,
  stepsPerSecond: 1234.56,
  stepGapMs: null,
  eventLoopDelayMs: 0.5,
  eventsPerSecond: 0,
  sockets: 2,
  socketBufferBytesMax: 1_000_000,
};

it('has a line with a unit for every figure, numbers under each other, a dash for one that is not known', () => {
  expect(statsTable(STATS, { isOver: false })).toBe(
    [
      'queueDepth                 12 jobs',
      'rowsInFlight                8 rows',
      'meanBatch                3.15 rows per call',
      'stepsPerSecond         1234.6 rows per second',
      'stepGapMs                   - ms',
      'eventLoopDelayMs         0.50 ms',
      'eventsPerSecond           0.0 events per second',
      'sockets                     2 open',
      'socketBufferBytesMax  1000000 bytes',
      '',
    ].join('\n'),
  );
});

it('goes up by as many lines as it wrote to write over them', () => {
  const table = statsTable(STATS, { isOver: true });

  expect(table.startsWith('\u001b[9A\u001b[J')).toBe(true);
  expect(table.split('\n')).toHaveLength(10);
});
