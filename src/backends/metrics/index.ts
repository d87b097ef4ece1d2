export type { MetricsDeps } from './create-metrics.ts';
export { createMetrics } from './create-metrics.ts';
