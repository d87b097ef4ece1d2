import type { Logger } from 'pino';
import pino from 'pino';

export type { Logger } from 'pino';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/**
 * Lines of JSON on standard error: standard output belongs to the commands. Written at once, so that
 * the last words of a process that dies are not lost.
 */
export function createLogger(level: LogLevel): Logger {
  return pino({ level, base: null }, pino.destination({ fd: 2, sync: true }));
}
