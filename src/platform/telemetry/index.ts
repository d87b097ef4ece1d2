export type { EventLoopMonitor } from './event-loop.ts';
export { openEventLoopMonitor } from './event-loop.ts';
export type { Metric, Sample } from './exposition.ts';
export { EXPOSITION_CONTENT_TYPE, renderMetrics } from './exposition.ts';
export type { Logger, LogLevel } from './logger.ts';
export { createLogger } from './logger.ts';
