import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';

/** One metric: a name in base units, and its values by label. */
export interface Metric {
  /** `darkroom_queue_depth`; a counter's ends in `_total`. */
  readonly name: string;
  /** One sentence, for people. */
  readonly help: string;
  readonly type: 'gauge' | 'counter';
  /** None of them: the metric is declared and has no value right now. */
  readonly samples: readonly Sample[];
}

export interface Sample {
  /** The same names on every sample of a metric. */
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The media type of what `renderMetrics` makes. */
export const EXPOSITION_CONTENT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

// One for the process that it is about, made when it is first asked for: its observers of garbage
// collection and event loop cannot be taken down again.
const ofProcess: { registry: Registry | null } = { registry: null };

/**
 * Prometheus's text form of `metrics`, after what every Node process tells of itself: CPU, memory,
 * open files, garbage collection, event loop.
 */
export async function renderMetrics(metrics: readonly Metric[]): Promise<string> {
  const registry = new Registry();
  for (const metric of metrics) register(registry, metric);
  const text = await Registry.merge([processRegistry(), registry]).metrics();
  // The event loop's lag is not a number between two looks in quick succession, and prom-client spells
  // that as the format does not.
  return text.replaceAll(/ Nan$/gm, ' NaN');
}

function processRegistry(): Registry {
  if (ofProcess.registry) return ofProcess.registry;
  ofProcess.registry = new Registry();
  collectDefaultMetrics({ register: ofProcess.registry });
  return ofProcess.registry;
}

function register(registry: Registry, { name, help, type, samples }: Metric): void {
  const labelNames = Object.keys(samples[0]?.labels ?? {});
  const metric = new (type === 'gauge' ? Gauge : Counter)({ name, help, labelNames, registers: [registry] });
  // Without labels it begins with a zero of its own, which nobody has counted.
  if (samples.length === 0) metric.remove();
  for (const { labels, value } of samples) metric.inc(labels, value);
}
