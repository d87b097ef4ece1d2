import type { FailureLog } from '../kernel/outage.ts';

/** What the dispatcher needs of a logger. */
export type DispatcherLogger = FailureLog;
