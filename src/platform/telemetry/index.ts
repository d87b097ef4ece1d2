export type { Logger, LogLevel } from './logger.ts';
export { createLogger } from './logger.ts';
