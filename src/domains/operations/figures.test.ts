import { describe, expect, it } from 'vitest';
import type { ApiFigures, DispatcherFigures, ProcessFigures } from './figures.ts';
import { combineFigures } from './figures.ts';

const DISPATCHER: DispatcherFigures = {
  rowsInFlight: 0,
  unetCalls: 0,
  unetRows: 0,
  busyMs: 0,
  gapMs: 0,
  gaps: 0,
};
const API: ApiFigures = { sockets: 0, socketBufferBytesMax: 0, eventsDelivered: 0 };

const processOf = (more: Partial<ProcessFigures>): ProcessFigures => ({
  upMs: 1_000,
  eventLoopDelayMs: null,
  dispatcher: null,
  api: null,
  ...more,
});

describe('the figures of several processes', () => {
  it('make means of their sums, so that a call counts the same wherever it was made', () => {
    const busy = { ...DISPATCHER, unetCalls: 90, unetRows: 720, gapMs: 90, gaps: 30, busyMs: 9_000 };
    const quiet = { ...DISPATCHER, unetCalls: 10, unetRows: 10, gapMs: 60, gaps: 20, busyMs: 1_000 };

    const stats = combineFigures(3, [processOf({ dispatcher: busy }), processOf({ dispatcher: quiet })]);

    // And not (8 + 1) / 2 and (3 + 3) / 2.
    expect(stats).toMatchObject({ queueDepth: 3, meanBatch: 7.3, stepGapMs: 3 });
  });

  it('add rates and present amounts', () => {
    const stats = combineFigures(0, [
      processOf({
        upMs: 10_000,
        dispatcher: { ...DISPATCHER, rowsInFlight: 4, unetRows: 80, busyMs: 1_000 },
        api: { ...API, sockets: 2, eventsDelivered: 100 },
      }),
      processOf({ upMs: 2_000, dispatcher: { ...DISPATCHER, rowsInFlight: 3, unetRows: 40, busyMs: 2_000 } }),
      processOf({ upMs: 4_000, api: { ...API, sockets: 5, eventsDelivered: 20 } }),
    ]);

    expect(stats).toMatchObject({ rowsInFlight: 7, stepsPerSecond: 100, eventsPerSecond: 15, sockets: 7 });
  });

  it('show the worst of event loops and buffers', () => {
    const stats = combineFigures(0, [
      processOf({ eventLoopDelayMs: 2, api: { ...API, socketBufferBytesMax: 10 } }),
      processOf({ eventLoopDelayMs: 7, api: { ...API, socketBufferBytesMax: 900 } }),
      processOf({}),
    ]);

    expect(stats).toMatchObject({ eventLoopDelayMs: 7, socketBufferBytesMax: 900 });
  });
});

describe('where nothing has run', () => {
  const NOTHING = {
    queueDepth: 0,
    rowsInFlight: 0,
    meanBatch: null,
    stepsPerSecond: null,
    stepGapMs: null,
    eventLoopDelayMs: null,
    eventsPerSecond: null,
    sockets: 0,
    socketBufferBytesMax: 0,
  };

  it('every figure has its name, and means are null rather than 0 or NaN', () => {
    expect(combineFigures(0, [])).toEqual(NOTHING);
    expect(combineFigures(0, [processOf({ upMs: 0, dispatcher: DISPATCHER, api: API })])).toEqual(NOTHING);
  });

  it('an idle process does not hide one that works', () => {
    const working = { ...DISPATCHER, unetCalls: 2, unetRows: 6, busyMs: 100 };

    const stats = combineFigures(0, [
      processOf({ dispatcher: DISPATCHER }),
      processOf({ dispatcher: working }),
    ]);

    expect(stats).toMatchObject({ meanBatch: 3, stepsPerSecond: 60, stepGapMs: null });
  });
});
