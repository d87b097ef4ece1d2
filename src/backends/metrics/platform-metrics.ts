import type { PlatformStats, ProcessReport } from '../../domains/operations/index.ts';
import type { Metric } from '../../platform/telemetry/index.ts';

const MS_PER_SECOND = 1000;

type Gauge = readonly [name: string, help: string, valueOf: (stats: PlatformStats) => number | null];

const GAUGES: readonly Gauge[] = [
  ['queue_depth', 'Jobs of all tenants that are queued now.', (stats) => stats.queueDepth],
  ['rows_in_flight', 'U-Net rows in calls now, over all dispatchers.', (stats) => stats.rowsInFlight],
  ['mean_batch', 'U-Net rows per U-Net call since start.', (stats) => stats.meanBatch],
  [
    'steps_per_second',
    'U-Net rows evaluated per second with a call in flight, since start.',
    (stats) => stats.stepsPerSecond,
  ],
  [
    'step_gap_seconds',
    'Mean time for which an engine instance stood idle while there was work, since start.',
    (stats) => seconds(stats.stepGapMs),
  ],
  [
    'event_loop_delay_seconds',
    'Mean delay of the event loop since start, of the process where it is largest.',
    (stats) => seconds(stats.eventLoopDelayMs),
  ],
  [
    'events_per_second',
    'Events delivered to subscribers per second since start.',
    (stats) => stats.eventsPerSecond,
  ],
  ['sockets', 'WebSockets open now, over all API processes.', (stats) => stats.sockets],
  [
    'socket_buffer_bytes_max',
    'Largest number of bytes buffered for one socket since start.',
    (stats) => stats.socketBufferBytesMax,
  ],
];

/**
 * The figures of `darkroom stats` in Prometheus's names and base units; one that is null has no value.
 * Null in place of all of them: the database could not be asked.
 */
export function platformMetrics(stats: PlatformStats | null): readonly Metric[] {
  const isUp = gauge('database_up', '1 when the database answered this scrape, else 0.', stats ? 1 : 0);
  return [isUp, ...GAUGES.map(([name, help, valueOf]) => gauge(name, help, stats && valueOf(stats)))];
}

function gauge(name: string, help: string, value: number | null): Metric {
  const samples = value === null ? [] : [{ labels: {}, value }];
  return { name: `darkroom_${name}`, help, type: 'gauge', samples };
}

/**
 * What each process has counted, under its id: a sum over processes would fall when one of them ends,
 * and Prometheus would take that for a restart of all.
 */
export function processMetrics(processes: readonly ProcessReport[]): readonly Metric[] {
  const ofDispatchers = counters(
    processes.flatMap(({ id, figures: { dispatcher: figures } }) => (figures ? [{ id, figures }] : [])),
  );
  const ofApis = counters(
    processes.flatMap(({ id, figures: { api: figures } }) => (figures ? [{ id, figures }] : [])),
  );
  return [
    {
      name: 'darkroom_process_info',
      help: 'Always 1: which processes run, where, and what they do.',
      type: 'gauge',
      samples: processes.map(({ id, host, roles }) => ({
        labels: { process: id, host, roles: roles.join(',') },
        value: 1,
      })),
    },
    ofDispatchers('unet_calls', 'U-Net calls answered.', (figures) => figures.unetCalls),
    ofDispatchers('unet_rows', 'U-Net rows evaluated.', (figures) => figures.unetRows),
    ofDispatchers(
      'unet_busy_seconds',
      'Time with at least one U-Net call in flight.',
      (figures) => figures.busyMs / MS_PER_SECOND,
    ),
    ofDispatchers(
      'engine_gap_seconds',
      'Time for which engine instances stood idle while there was work.',
      (figures) => figures.gapMs / MS_PER_SECOND,
    ),
    ofDispatchers(
      'engine_gaps',
      'Times that an engine instance stood idle while there was work.',
      ({ gaps }) => gaps,
    ),
    ofApis('events_delivered', 'Events delivered to subscribers.', (figures) => figures.eventsDelivered),
  ];
}

interface Counted<Figures> {
  readonly id: string;
  readonly figures: Figures;
}

function counters<Figures>(counted: readonly Counted<Figures>[]) {
  return (name: string, help: string, valueOf: (figures: Figures) => number): Metric => ({
    name: `darkroom_${name}_total`,
    help,
    type: 'counter',
    samples: counted.map(({ id, figures }) => ({ labels: { process: id }, value: valueOf(figures) })),
  });
}

function seconds(ms: number | null): number | null {
  return ms === null ? null : ms / MS_PER_SECOND;
}
