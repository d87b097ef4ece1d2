import { expect, it } from 'vitest';
import type { Metric } from './exposition.ts';
import { renderMetrics } from './exposition.ts';

const ROWS: Metric = {
  name: 'rows_total',
  help: 'Rows.',
  type: 'counter',
  samples: [
    { labels: { process: 'a' }, value: 2 },
    { labels: { process: 'b"\n' }, value: 3.5 },
  ],
};

it('declares a metric and gives each sample a line, labels escaped', async () => {
  expect(await renderMetrics([ROWS])).toContain(
    '# HELP rows_total Rows.\n# TYPE rows_total counter\nrows_total{process="a"} 2\nrows_total{process="b\\"\\n"} 3.5\n',
  );
});

it('gives a metric without samples no value, where a zero would be a claim', async () => {
  const text = await renderMetrics([{ name: 'idle', help: 'Idle.', type: 'gauge', samples: [] }]);

  expect(text).toContain('# TYPE idle gauge\n');
  expect(text).not.toMatch(/^idle /m);
});

it('remembers nothing from one answer to the next', async () => {
  await renderMetrics([ROWS]);

  expect(await renderMetrics([{ ...ROWS, samples: ROWS.samples.slice(0, 1) }])).not.toContain('process="b');
});

it('tells of the process itself, each metric once, however often it is asked', async () => {
  await renderMetrics([]);
  const text = await renderMetrics([]);

  for (const name of ['process_cpu_seconds_total', 'process_resident_memory_bytes', 'nodejs_version_info']) {
    expect(text.split(`# TYPE ${name} `)).toHaveLength(2);
  }
});
