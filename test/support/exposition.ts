/** A metric as a scraper sees it. */
export interface ScrapedMetric {
  readonly type: string;
  readonly samples: [labels: string, value: number][];
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const DECLARATION = new RegExp(String.raw`^# (HELP|TYPE) (${NAME}) (.+)$`);
const SAMPLE = new RegExp(
  String.raw`^(${NAME})(?:\{((?:${NAME}="(?:[^"\\]|\\[\\n"])*",?)+)\})? ([+-]Inf|NaN|[-+0-9.eE]+)$`,
);
const PART_OF_HISTOGRAM = /_(?:bucket|sum|count)$/;

/**
 * Reads Prometheus's text format, version 0.0.4. Throws at a line that is none of it, at a metric that is
 * declared twice, and at a sample of one that was not declared with HELP and TYPE.
 */
export function parseExposition(text: string): ReadonlyMap<string, ScrapedMetric> {
  const metrics = new Map<string, ScrapedMetric>();
  const helped = new Set<string>();
  if (!text.endsWith('\n')) throw new Error('The last line has no end.');
  for (const line of text.split('\n').filter((each) => each !== '')) {
    if (line.startsWith('#')) declare(line, helped, metrics);
    else addSample(line, metrics);
  }
  return metrics;
}

function declare(line: string, helped: Set<string>, metrics: Map<string, ScrapedMetric>): void {
  const [, what = '', name = '', type = ''] = DECLARATION.exec(line) ?? [];
  const isKnown = helped.has(name);
  if (what === 'HELP' && !isKnown) helped.add(name);
  else if (what === 'TYPE' && isKnown && !metrics.has(name)) metrics.set(name, { type, samples: [] });
  else throw new Error(`Not a declaration, or not here: ${line}`);
}

function addSample(line: string, metrics: ReadonlyMap<string, ScrapedMetric>): void {
  const [, name = '', labels = '', value = ''] = SAMPLE.exec(line) ?? [];
  const metric = metrics.get(name) ?? metrics.get(name.replace(PART_OF_HISTOGRAM, ''));
  if (!metric) throw new Error(`Not a sample of a declared metric: ${line}`);
  metric.samples.push([labels, Number(value.replace('Inf', 'Infinity'))]);
}
