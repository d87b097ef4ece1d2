import { hostname } from 'node:os';
import type { Role } from '../config/index.ts';
import type { FigureSources, ProcessReport } from '../domains/operations/index.ts';
import { createProcessMeter } from '../domains/operations/index.ts';
import type { Clock } from '../kernel/clock.ts';
import type { NewId } from '../kernel/ids.ts';
import { openEventLoopMonitor } from '../platform/telemetry/index.ts';

/** What this process tells of itself. Disposing stops watching the event loop. */
export interface Meter extends Disposable {
  /** Each role puts its own there once it has started. */
  readonly sources: FigureSources;
  readonly own: () => ProcessReport;
}

export function startMeter(roles: ReadonlySet<Role>, clock: Clock, newId: NewId): Meter {
  const eventLoop = openEventLoopMonitor();
  const sources: FigureSources = {
    dispatcher: null,
    api: null,
    eventLoopDelayMs: () => eventLoop.meanDelayMs(),
  };
  const identity = { id: newId('process'), host: hostname(), roles: [...roles] };
  return {
    sources,
    own: createProcessMeter(identity, sources, clock),
    [Symbol.dispose]: () => eventLoop[Symbol.dispose](),
  };
}
