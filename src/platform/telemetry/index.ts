export type { EventLoopMonitor } from './event-loop.ts';
export { openEventLoopMonitor } from './event-loop.ts';
export type { Logger, LogLevel } from './logger.ts';
export { createLogger } from './logger.ts';
